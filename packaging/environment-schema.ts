import { parse } from "yaml";
import { ignoredKeys, knownKeys } from "../src/core/environment/keys.ts";
import { documentedKeys } from "./documented-keys.ts";
import { type JsonSchema, jsonSchemaOf } from "./json-schema.ts";

/**
 * The JSON Schema of a `backup.yaml`, each key described as its documentation describes it. Like the parser it takes keys in any case, with
 * dots (`milvus.address`) or in sections, and values by their text; milvus-backup's keys without meaning here are let through.
 * @param documentation docs/backup-yaml.md
 * @throws an Error that names the keys it does not describe
 */
export function environmentSchema(documentation: string): JsonSchema {
  const described = new Map(
    documentedKeys(documentation).map(({ sections, key, description }) => [`${sections.at(-1)}.${key}`, description]),
  );
  const missing = Object.keys(knownKeys).filter((key) => described.get(key) === undefined);
  if (missing.length > 0) throw new Error(`docs/backup-yaml.md does not describe ${missing.join(", ")}`);
  const definitions: Record<string, JsonSchema> = {};
  for (const [key, { schema }] of Object.entries(knownKeys)) {
    definitions[key] = { description: described.get(key), ...written(jsonSchemaOf(schema, "input"), schema) };
  }
  for (const section of sections) definitions[section] = sectionSchema(section);
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "backup.yaml of milvus-backup, as the serverless pipeline reads it",
    ...sectionSchema(""),
    definitions,
  };
}

/** `milvus`, `backup.gcPause`: what keys lie below. */
const sections = [...new Set(Object.keys(knownKeys).flatMap(parentsOf))];

function parentsOf(key: string): string[] {
  const parts = key.split(".").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join("."));
}

function sectionSchema(section: string): JsonSchema {
  const start = section === "" ? "" : `${section}.`;
  const below = [...sections, ...Object.keys(knownKeys)].filter((name) => name.startsWith(start));
  const names = below.map((name) => name.slice(start.length));
  const ignored = ignoredKeys.flatMap((key) => {
    if (key.toLowerCase().startsWith(start.toLowerCase())) return [key.slice(start.length)];
    // everything in this section is
    return key.endsWith(".") && start.toLowerCase().startsWith(key.toLowerCase()) ? [""] : [];
  });
  return {
    type: ["object", "null"] as never,
    properties: Object.fromEntries(names.filter((name) => !name.includes(".")).map((name) => [name, to(start + name)])),
    patternProperties: Object.fromEntries([
      ...names.map((name) => [`^${inAnyCase(name)}$`, to(start + name)]),
      ...ignored
        .filter((key) => key !== "" && key !== ".")
        .map((key) => [key.endsWith(".") ? `^${inAnyCase(key.slice(0, -1))}(?:\\.|$)` : `^${inAnyCase(key)}$`, {}]),
    ]),
    additionalProperties: ignored.includes(""),
  };
}

function to(name: string): JsonSchema {
  return { $ref: `#/definitions/${name}` };
}

/** A pattern for a name: JSON Schema's have no flags. */
function inAnyCase(name: string): string {
  return [...name]
    .map((character) => {
      const [lower, upper] = [character.toLowerCase(), character.toUpperCase()];
      return lower === upper ? character.replace(/[^\w]/, "\\$&") : `[${upper}${lower}]`;
    })
    .join("");
}

/** A value is read from its text, so a number or a switch of YAML is as good as the text of one; a key without a value is not given. */
function written(text: JsonSchema, schema: Parameters<typeof jsonSchemaOf>[0]): JsonSchema {
  if (text.enum !== undefined) {
    const values = new Set([...text.enum, ...text.enum.map((value) => parse(String(value))), null]);
    return { enum: [...values] };
  }
  if (text.pattern === undefined) return { type: ["string", "number", "boolean", "null"] as never };
  const { minimum, maximum } = jsonSchemaOf(schema, "output");
  const takes = (example: string) => new RegExp(text.pattern ?? "").test(example);
  return {
    anyOf: [
      ...(takes("true") ? [{ type: "boolean" as const }] : []),
      {
        type: takes("1.5") ? "number" : "integer",
        ...(minimum !== undefined && { minimum }),
        ...(maximum !== undefined && { maximum }),
      },
      { type: "string", pattern: text.pattern },
      { type: "null" },
    ],
  };
}
