import { defaultValueOf } from "../format/default-value.ts";
import {
  type CollectionSchema,
  type CollectionWith,
  type FieldSchema,
  type SegmentBackup,
  segmentsOf,
} from "../format/meta.ts";
import { type Attributes, fromRecord, type Kind } from "./attributes.ts";
import { dataTypeName, dataTypeSince, firstUserFieldId } from "./data-types.ts";
import type { CollectionName } from "./descriptions.ts";
import { defaultDatabase } from "./names.ts";
import { fieldAttributes } from "./schema-attributes.ts";
import { dynamicFieldId, splitFields } from "./schema-mapping.ts";
import { isAtLeast, releases } from "./version.ts";

/**
 * What keeps binlogs of `backup` from being imported into a collection with the schema `target`: one sentence for each
 * difference in fields, their IDs, types, sizes and roles, dynamic field, functions and struct arrays. Empty where they match;
 * descriptions, properties and names of the collections do not matter.
 */
export function sameSchema(backup: CollectionSchema, target: CollectionSchema): string[] {
  const differences = compareFields("field", backup.fields, target.fields);
  if (backup.enable_dynamic_field !== target.enable_dynamic_field) {
    differences.push(
      `the dynamic field is ${onOff(backup.enable_dynamic_field)} in the backup and ${onOff(target.enable_dynamic_field)} in the target`,
    );
  } else if (dynamicFieldId(backup) !== dynamicFieldId(target)) {
    differences.push(
      `the dynamic field has ID ${dynamicFieldId(backup)} in the backup and ${dynamicFieldId(target)} in the target`,
    );
  }
  differences.push(...compareNames("function", backup.functions.map(signature), target.functions.map(signature)));
  differences.push(...compareStructArrays(backup, target));
  return differences;
}

/**
 * What of a collection a Milvus of `version` does not have: one sentence each, with the release that brought it. Empty where
 * the collection can be restored there.
 * @param target where the collection goes; its own name where absent
 */
export function unsupportedBy(
  version: string,
  collection: CollectionWith<Pick<SegmentBackup, "is_l0" | "storage_version">>,
  target?: CollectionName,
): string[] {
  const { schema } = collection;
  const problems: string[] = [];
  const needs = (what: string, since: string) => {
    if (!isAtLeast(version, since)) problems.push(`${what} needs Milvus ${since} or newer, the target is ${version}`);
  };
  const fields = [...schema.fields, ...schema.struct_array_fields.flatMap((field) => field.fields)];
  for (const field of fields) {
    for (const type of field.element_type === 0 ? [field.data_type] : [field.data_type, field.element_type]) {
      const since = dataTypeSince(type);
      if (since === undefined) problems.push(`field ${field.name} has data ${dataTypeName(type)}, which is not known`);
      else if (since !== "") needs(`field ${field.name} of type ${dataTypeName(type)}`, since);
    }
    if (field.is_partition_key) needs(`partition key ${field.name}`, releases.partitionKey);
    if (field.nullable && !field.is_dynamic) needs(`nullable field ${field.name}`, releases.nullable);
    if (!field.is_dynamic && defaultValueOf(field) !== "") {
      needs(`the default value of field ${field.name}`, releases.nullable);
    }
  }
  if (schema.enable_dynamic_field) needs("the dynamic field", releases.dynamicField);
  for (const fn of schema.functions) {
    const since = fn.type === bm25 ? releases.fullTextSearch : releases.modelFunctions;
    needs(`function ${fn.name}`, since);
  }
  for (const field of schema.struct_array_fields) needs(`struct array ${field.name}`, releases.structArrays);
  const { created, added } = splitFields(schema);
  for (const field of added) needs(`field ${field.name}, added after the collection was created,`, releases.addField);
  problems.push(...unreachableIds(created));
  const database = target?.database ?? collection.db_name;
  if (database !== "" && database !== defaultDatabase) needs(`database ${database}`, releases.databases);
  const segments = segmentsOf(collection);
  if (segments.some((segment) => segment.is_l0)) needs("deletes in L0 segments", releases.l0Import);
  if (segments.some((segment) => segment.storage_version > 0n)) {
    needs("data in storage version 2", releases.storageV2);
  }
  return problems;
}

/** Milvus's number of the function type BM25; all others call a model. */
const bm25 = 1;

/** Milvus numbers created fields from 100 on without gaps: other IDs in the binlogs could not be matched. */
function unreachableIds(created: readonly FieldSchema[]): string[] {
  const wrong = created.find((field, index) => field.fieldID !== firstUserFieldId + BigInt(index));
  return wrong
    ? [
        `field ${wrong.name} has ID ${wrong.fieldID}, which a new collection cannot give it: its data would not be found`,
      ]
    : [];
}

/** What decides whether the values of a field fit. */
const sizeParams = ["dim", "max_length", "max_capacity"];

function compareFields(what: string, backup: readonly FieldSchema[], target: readonly FieldSchema[]): string[] {
  const users = (fields: readonly FieldSchema[]) => fields.filter((field) => !field.is_dynamic);
  const names = (fields: readonly FieldSchema[]) => users(fields).map((field) => field.name);
  const differences = compareNames(what, names(backup), names(target));
  for (const field of users(backup)) {
    const other = target.find((candidate) => candidate.name === field.name);
    if (!other) continue;
    const theirs = traits(other);
    for (const [trait, value] of Object.entries(traits(field))) {
      if (value === theirs[trait]) continue;
      differences.push(`${what} ${field.name}: ${trait} is ${value} in the backup and ${theirs[trait]} in the target`);
    }
  }
  return differences;
}

function traits(field: FieldSchema): Record<string, string> {
  const params = new Map(field.type_params.map(({ key, value }) => [key, value]));
  const description: Readonly<Record<string, unknown>> = fromRecord(fieldAttributes, field);
  const table: Attributes = fieldAttributes;
  return Object.fromEntries([
    ...Object.entries(table).flatMap(([key, { kind, trait }]) =>
      trait ? [[trait, inWords(kind, description[key])]] : [],
    ),
    ...sizeParams.map((key) => [key, params.get(key) ?? "none"]),
  ]);
}

function inWords(kind: Kind, value: unknown): string {
  if (typeof value === "boolean") return yesNo(value);
  if (kind !== "dataType") return String(value);
  return value === 0 ? "none" : dataTypeName(Number(value));
}

function compareStructArrays(backup: CollectionSchema, target: CollectionSchema): string[] {
  const theirs = new Map(target.struct_array_fields.map((field) => [field.name, field]));
  const differences = compareNames(
    "struct array",
    backup.struct_array_fields.map((field) => field.name),
    [...theirs.keys()],
  );
  for (const field of backup.struct_array_fields) {
    const other = theirs.get(field.name);
    if (!other) continue;
    if (field.fieldID !== other.fieldID) {
      differences.push(
        `struct array ${field.name}: ID is ${field.fieldID} in the backup and ${other.fieldID} in the target`,
      );
    }
    differences.push(...compareFields(`field of struct array ${field.name}`, field.fields, other.fields));
  }
  return differences;
}

function compareNames(what: string, backup: readonly string[], target: readonly string[]): string[] {
  return [
    ...backup.filter((name) => !target.includes(name)).map((name) => `${what} ${name} is missing in the target`),
    ...target.filter((name) => !backup.includes(name)).map((name) => `${what} ${name} is not in the backup`),
  ];
}

function signature(fn: CollectionSchema["functions"][number]): string {
  return `${fn.name} (type ${fn.type}, ${fn.input_field_names.join(", ")} to ${fn.output_field_names.join(", ")})`;
}

function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}

function onOff(value: boolean): string {
  return value ? "on" : "off";
}
