import { defaultValueOf } from "../format/default-value.ts";
import {
  type CollectionSchema,
  type CollectionWith,
  collectionSchema,
  type FieldSchema,
  fieldSchema,
  functionSchema,
  type IndexInfo,
  indexInfo,
  structArrayField,
} from "../format/meta.ts";
import { fromRecord, toRecord } from "./attributes.ts";
import { firstUserFieldId, isVector } from "./data-types.ts";
import type {
  CollectionName,
  CreateCollectionRequest,
  CreateIndexRequest,
  FieldDescription,
  IndexDescription,
  SchemaDescription,
} from "./descriptions.ts";
import { type KeptAttributes, withKept } from "./kept-attributes.ts";
import { ownProperties } from "./properties.ts";
import { fieldAttributes, functionAttributes, schemaAttributes, structArrayAttributes } from "./schema-attributes.ts";

/** A schema as Milvus describes it, as the backup holds it. */
export function toCollectionSchema(schema: SchemaDescription): CollectionSchema {
  return collectionSchema.create({
    name: schema.name,
    description: schema.description,
    fields: schema.fields.map(toFieldSchema),
    enable_dynamic_field: schema.enableDynamicField,
    properties: [...schema.properties],
    functions: schema.functions.map((fn) => functionSchema.create(toRecord(functionAttributes, fn))),
    struct_array_fields: schema.structArrayFields.map((field) =>
      structArrayField.create({
        ...toRecord(structArrayAttributes, field),
        fields: field.fields.map(toFieldSchema),
      }),
    ),
  });
}

/** An index as Milvus describes it, as the backup holds it. */
export function toIndexInfo(index: IndexDescription): IndexInfo {
  return indexInfo.create({
    field_name: index.fieldName,
    index_name: index.indexName,
    index_type: index.params.index_type ?? "",
    params: { ...index.params },
    index_id: BigInt(index.id),
  });
}

/**
 * What creates the collection of a backup again, so that its field IDs are those of the binlogs: Milvus gives IDs in the order
 * of the fields and puts the dynamic field behind them, so fields above the dynamic one are added afterwards. A default value
 * that the backup holds damaged is left out (see `damagedDefaults`), and so is what a server manages itself.
 * @param kept what the manifest keeps of it, since the format has no place for it
 * @throws CorruptBackup where a default value cannot be read
 */
export function toCreateRequest(
  collection: CollectionWith<unknown>,
  target: CollectionName,
  kept?: KeptAttributes,
): CreateCollectionRequest {
  const schema = withKept(toSchemaDescription(collection.schema), kept);
  const added = new Set(splitFields(collection.schema).added.map(({ fieldID }) => fieldID.toString()));
  const fields = schema.fields.filter(({ isDynamic }) => !isDynamic);
  return {
    name: target,
    schema: {
      ...schema,
      name: target.collection,
      fields: fields.filter(({ fieldId }) => !added.has(fieldId)),
      properties: ownProperties(schema.properties),
    },
    shards: collection.shards_num,
    consistencyLevel: collection.consistency_level,
    properties: ownProperties(schema.properties, collection.properties),
    ...(hasPartitionKey(collection, schema) && { partitionCount: collection.partition_backups.length }),
    addedFields: fields.filter(({ fieldId }) => added.has(fieldId)),
  };
}

/**
 * A schema of a backup as Milvus describes it, fields in the order of their IDs; what the format has no place for is zero.
 * @throws CorruptBackup where a default value cannot be read
 */
export function toSchemaDescription(schema: CollectionSchema): SchemaDescription {
  return {
    ...fromRecord(schemaAttributes, {}),
    name: schema.name,
    description: schema.description,
    enableDynamicField: schema.enable_dynamic_field,
    fields: schema.fields.toSorted((a, b) => byValue(a.fieldID, b.fieldID)).map(toFieldDescription),
    properties: schema.properties,
    functions: schema.functions.map((fn) => fromRecord(functionAttributes, fn)),
    structArrayFields: schema.struct_array_fields.map((field) => ({
      ...fromRecord(structArrayAttributes, field),
      fields: field.fields.map(toFieldDescription),
    })),
  };
}

/** Whether Milvus makes the partitions itself: of a partition key, or of namespaces that are kept by one (their field is hidden). */
function hasPartitionKey(
  collection: CollectionWith<unknown>,
  schema: Pick<SchemaDescription, "enableNamespace">,
): boolean {
  if (collection.schema.fields.some((field) => field.is_partition_key)) return true;
  return (
    schema.enableNamespace &&
    collection.partition_backups.every(({ partition_name }) => /^_default_\d+$/.test(partition_name))
  );
}

/** What creates the indexes of a collection again, in their order in the backup. */
export function toCreateIndexRequests(collection: CollectionWith<unknown>): CreateIndexRequest[] {
  const vectorFields = new Set(
    collection.schema.fields.filter((field) => isVector(field.data_type)).map((field) => field.name),
  );
  return collection.index_infos.map((index) => {
    const indexType = index.params.index_type ?? index.index_type;
    const keepsName = vectorFields.has(index.field_name) || !hasSpecialCharacters(index.index_name);
    return {
      fieldName: index.field_name,
      indexName: keepsName ? index.index_name : "",
      params: { ...index.params, ...(indexType !== "" && { index_type: renamedTypes[indexType] ?? indexType }) },
    };
  });
}

/** Milvus 2.2 answers a name that CreateIndex of 2.3 and later does not take. */
const renamedTypes: Readonly<Record<string, string>> = { "marisa-trie": "Trie" };

/** Milvus 2.5 names indexes of JSON paths (`/a/b`) as CreateIndex would not take them; without a name it gives the same one. */
function hasSpecialCharacters(name: string): boolean {
  return !/^(?:[A-Za-z_][A-Za-z0-9_]*)?$/.test(name.trim());
}

/**
 * The ID of the dynamic field, which Milvus does not describe: that of the field marked `is_dynamic` where the backup has it,
 * otherwise the first gap in the IDs of the user's fields, otherwise the one behind the last. undefined without dynamic field.
 */
export function dynamicFieldId(schema: CollectionSchema): bigint | undefined {
  if (!schema.enable_dynamic_field) return undefined;
  const marked = schema.fields.find((field) => field.is_dynamic);
  return marked ? marked.fieldID : firstGap(schema.fields.map((field) => field.fieldID));
}

/** User fields in the order of their IDs: those CreateCollection makes, and those that were added to the collection later. */
export function splitFields(schema: CollectionSchema): { created: FieldSchema[]; added: FieldSchema[] } {
  const fields = schema.fields.filter((field) => !field.is_dynamic).sort((a, b) => byValue(a.fieldID, b.fieldID));
  // without a dynamic field, struct arrays take the IDs behind the created fields
  const gap =
    dynamicFieldId(schema) ??
    (schema.struct_array_fields.length > 0 ? firstGap(fields.map((field) => field.fieldID)) : undefined);
  if (gap === undefined) return { created: fields, added: [] };
  return {
    created: fields.filter((field) => field.fieldID < gap),
    added: fields.filter((field) => field.fieldID >= gap),
  };
}

/** One sentence for each default value that was lost when the backup was written and cannot be restored. */
export function damagedDefaults(schema: CollectionSchema): string[] {
  return schema.fields
    .filter((field) => defaultValueOf(field) === undefined)
    .map(
      (field) =>
        `field ${field.name}: its default value was damaged when the backup was written (default_value_proto) and is not restored`,
    );
}

function firstGap(ids: readonly bigint[]): bigint {
  const userIds = ids.filter((id) => id >= firstUserFieldId).sort(byValue);
  let gap = userIds[0] ?? firstUserFieldId;
  for (const id of userIds) {
    if (id !== gap) break;
    gap += 1n;
  }
  return gap;
}

function byValue(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function toFieldSchema(field: FieldDescription): FieldSchema {
  return fieldSchema.create(toRecord(fieldAttributes, field));
}

function toFieldDescription(field: FieldSchema): FieldDescription {
  return { ...fromRecord(fieldAttributes, field), defaultValueBase64: defaultValueOf(field) ?? "" };
}
