import { readFileSync } from "node:fs";
import { Ajv, type ValidateFunction } from "ajv";
import addFormats from "ajv-formats";

const validators = new Map<string, ValidateFunction>();

/**
 * What a JSON Schema of this project has against a value; nothing where it takes it.
 * @param file below `schemas/`
 */
export function schemaProblems(file: string, value: unknown): string[] {
  let validate = validators.get(file);
  if (validate === undefined) {
    const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, allowMatchingProperties: true });
    addFormats.default(ajv);
    validate = ajv.compile(JSON.parse(readFileSync(new URL(`../../schemas/${file}`, import.meta.url), "utf8")));
    validators.set(file, validate);
  }
  return validate(value)
    ? []
    : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

/** What the schema of its detail type has against an event. */
export function eventProblems(event: { readonly "detail-type": string }): string[] {
  return schemaProblems(`events/${event["detail-type"].toLowerCase().replaceAll(" ", "-")}.schema.json`, event);
}
