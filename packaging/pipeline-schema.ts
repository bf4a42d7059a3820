import { pipelineConfig } from "../src/core/deployment/config.ts";
import { documentedKeys } from "./documented-keys.ts";
import { type JsonSchema, jsonSchemaOf } from "./json-schema.ts";

/**
 * The JSON Schema of `pipeline.yaml`, each key described as its documentation describes it.
 * @param documentation docs/pipeline-yaml.md: a heading that is a key has the table of what is below that key
 * @throws an Error that names the keys it does not describe
 */
export function pipelineSchema(documentation: string): JsonSchema {
  const schema = jsonSchemaOf(pipelineConfig, "input");
  const described = new Map(
    documentedKeys(documentation).map(({ sections, key, description }) => [[...sections, key].join("."), description]),
  );
  const missing: string[] = [];
  const describe = (at: JsonSchema, path: readonly string[]): void => {
    for (const [key, value] of Object.entries(propertiesOf(at))) {
      const name = [...path, key].join(".");
      const description = described.get(name);
      if (description === undefined) missing.push(name);
      // A key whose meaning a section tells is described there.
      else if (description !== "" && description !== "see below") value.description = description;
      describe(value, [...path, key]);
    }
  };
  describe(schema, []);
  if (missing.length > 0) throw new Error(`docs/pipeline-yaml.md does not describe ${missing.join(", ")}`);
  return { $schema: schema.$schema, title: "pipeline.yaml of milvus-backup", ...schema };
}

/** What an object may hold, or what the items of a list or the values of a record may. */
function propertiesOf(schema: JsonSchema): Record<string, JsonSchema> {
  const { items, additionalProperties: values, properties } = schema;
  const inner = Array.isArray(items) ? undefined : (items ?? values);
  if (properties !== undefined) return properties as Record<string, JsonSchema>;
  return typeof inner === "object" && inner !== null ? propertiesOf(inner as JsonSchema) : {};
}
