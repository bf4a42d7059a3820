import type { RestoreInput } from "../execution/messages.ts";
import type { KeyValue } from "../milvus/attributes.ts";
import { isVector } from "../milvus/data-types.ts";
import type { CreateCollectionRequest, CreateIndexRequest, FieldDescription } from "../milvus/descriptions.ts";

/** What of a restore's input makes a collection otherwise than it was. */
export type Overrides = Pick<
  RestoreInput,
  "shards" | "maxShards" | "autoIndex" | "skipProperties" | "skipFieldParams" | "skipIndexParams"
>;

/** The collection with the shards that are asked for, and without what is left out. */
export function overrideCollection(create: CreateCollectionRequest, overrides: Overrides): CreateCollectionRequest {
  const { schema } = create;
  const { skipProperties = [], skipFieldParams = [] } = overrides;
  const overrideField = (field: FieldDescription): FieldDescription => ({
    ...field,
    typeParams: without(field.typeParams, skipFieldParams),
    indexParams: without(field.indexParams, skipFieldParams),
  });
  return {
    ...create,
    schema: {
      ...schema,
      properties: without(schema.properties, skipProperties),
      fields: schema.fields.map(overrideField),
      structArrayFields: schema.structArrayFields.map((field) => ({
        ...field,
        fields: field.fields.map(overrideField),
      })),
    },
    shards: shardsOf(create.shards, overrides),
    properties: without(create.properties, skipProperties),
    addedFields: create.addedFields.map(overrideField),
  };
}

/** @param inBackup how many shards the collection had */
export function shardsOf(inBackup: number, { shards, maxShards }: Overrides): number {
  return shards ?? Math.min(inBackup, maxShards ?? inBackup);
}

/**
 * The index without the parameters that are left out; a vector's, where AUTOINDEX is asked for, with its metric alone. Indexes of scalar
 * fields stay as they are, as milvus-backup's do.
 * @param create the collection with all its fields
 */
export function overrideIndex(
  index: CreateIndexRequest,
  { schema, addedFields }: CreateCollectionRequest,
  { autoIndex, skipIndexParams = [] }: Overrides,
): CreateIndexRequest {
  const fields = [...schema.fields, ...addedFields, ...schema.structArrayFields.flatMap((field) => field.fields)];
  const isOfVector = fields.some(({ name, dataType }) => name === index.fieldName && isVector(dataType));
  const entries = Object.entries(index.params);
  if (!autoIndex || !isOfVector) {
    return { ...index, params: Object.fromEntries(entries.filter(([key]) => !skipIndexParams.includes(key))) };
  }
  const metric = entries.filter(([key]) => key === "metric_type");
  return { ...index, params: Object.fromEntries([["index_type", "AUTOINDEX"], ...metric]) };
}

function without(values: readonly KeyValue[], keys: readonly string[]): KeyValue[] {
  return values.filter(({ key }) => !keys.includes(key));
}
