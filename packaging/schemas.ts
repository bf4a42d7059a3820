import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compile } from "json-schema-to-typescript";
import { documents } from "../cli/documents/index.ts";
import { detailTypes, eventDetails, eventSource } from "../src/core/deployment/events.ts";
import { restorePlanFile } from "../src/core/plan/restore-plan-file.ts";
import { environmentSchema } from "./environment-schema.ts";
import { type JsonSchema, jsonSchemaOf } from "./json-schema.ts";
import { pipelineSchema } from "./pipeline-schema.ts";

const projectDir = join(import.meta.dirname, "..");

/**
 * Every file that is made of the zod schemas, by its path in the project: JSON Schemas of what people write and of what is announced, and
 * what pipeline.yaml holds as a type. `npm run schemas` writes them; a test holds them up to date.
 */
export async function generatedFiles(): Promise<Map<string, string>> {
  const documentation = (name: string) => readFileSync(join(projectDir, "docs", name), "utf8");
  const pipeline = pipelineSchema(documentation("pipeline-yaml.md"));
  return new Map([
    ["schemas/backup.schema.json", text(environmentSchema(documentation("backup-yaml.md")))],
    ["schemas/pipeline.schema.json", text(pipeline)],
    ["schemas/restore-plan.schema.json", text({ title: "restore plan", ...jsonSchemaOf(restorePlanFile, "input") })],
    ...Object.entries(documents).map(([kind, schema]): [string, string] => [
      documentSchemaFile(kind),
      text(openSchema(jsonSchemaOf(schema, "output"))),
    ]),
    ...detailTypes.map((type): [string, string] => [eventSchemaFile(type), text(openSchema(eventSchema(type)))]),
    ["infra/pipeline-options.ts", await optionsType(pipeline)],
  ]);
}

/** `Backup Completed` in `schemas/events/backup-completed.schema.json` */
export function eventSchemaFile(type: (typeof detailTypes)[number]): string {
  return `schemas/events/${type.toLowerCase().replaceAll(" ", "-")}.schema.json`;
}

/** `schemas/documents/create.schema.json` */
export function documentSchemaFile(kind: string): string {
  return `schemas/documents/${kind}.schema.json`;
}

/** Documents and events may get more fields: what is not known is no error of whoever reads it. */
function openSchema(schema: JsonSchema): JsonSchema {
  return JSON.parse(
    JSON.stringify(schema, (key, value) => (key === "additionalProperties" && value === false ? undefined : value)),
  );
}

/** A whole event as EventBridge delivers it: AWS's envelope, and our detail. */
function eventSchema(type: (typeof detailTypes)[number]): JsonSchema {
  const { $schema, ...detail } = jsonSchemaOf(eventDetails[type], "output");
  return {
    $schema,
    title: type,
    type: "object",
    properties: {
      version: { type: "string" },
      id: { type: "string" },
      source: { const: eventSource },
      "detail-type": { const: type },
      account: { type: "string" },
      time: { type: "string", format: "date-time" },
      region: { type: "string" },
      resources: { type: "array", items: { type: "string" } },
      detail,
    },
    required: ["source", "detail-type", "detail"],
  };
}

function text(schema: JsonSchema): string {
  return `${JSON.stringify(schema, null, 2)}\n`;
}

/** A type of its own, without zod: another app's compiler reads it. */
async function optionsType(schema: JsonSchema): Promise<string> {
  // The title would name the type; the root of a file may be empty, an object may not.
  const { title: _, ...options } = schema;
  return compile(options as Parameters<typeof compile>[0], "PipelineOptions", {
    bannerComment: "// Made of src/core/deployment/config.ts and docs/pipeline-yaml.md by `npm run schemas`.",
    additionalProperties: false,
    ignoreMinAndMaxItems: true,
    style: { printWidth: 120 },
  });
}
