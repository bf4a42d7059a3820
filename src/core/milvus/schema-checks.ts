import { defaultValueOf } from "../format/default-value.ts";
import { type CollectionWith, type FieldSchema, type SegmentBackup, segmentsOf } from "../format/meta.ts";
import { dataTypeName, dataTypeSince, firstUserFieldId } from "./data-types.ts";
import type { CollectionName } from "./descriptions.ts";
import { defaultDatabase } from "./names.ts";
import { splitFields } from "./schema-mapping.ts";
import { isAtLeast, releases } from "./version.ts";

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
