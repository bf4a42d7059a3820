import { fieldSchema } from "../../src/core/format/meta.ts";
import { fromRecord } from "../../src/core/milvus/attributes.ts";
import { fieldAttributes } from "../../src/core/milvus/schema-attributes.ts";
import type { CreateCollectionRequest, FieldDescription, SchemaDescription } from "../../src/ports/milvus.ts";

/** A field as Milvus describes it; only what a test is about needs saying. */
export function field(name: string, dataType: number, rest: Partial<FieldDescription> = {}): FieldDescription {
  return { ...fromRecord(fieldAttributes, fieldSchema.zero()), name, dataType, ...rest };
}

export const int64 = 5;
export const varChar = 21;
export const array = 22;
export const floatVector = 101;

/** A schema of these fields and nothing else. */
export function schemaOf(
  name: string,
  fields: readonly FieldDescription[],
  rest: Partial<SchemaDescription> = {},
): SchemaDescription {
  return {
    name,
    description: "",
    enableDynamicField: false,
    fields,
    properties: [],
    functions: [],
    structArrayFields: [],
    enableNamespace: false,
    externalSource: "",
    externalSpec: "",
    ...rest,
  };
}

/** A request for a small collection: an Int64 key and a 4-dim vector, in database `default`. */
export function collectionRequest(
  collection: string,
  rest: Partial<Omit<CreateCollectionRequest, "schema">> & { schema?: Partial<SchemaDescription> } = {},
): CreateCollectionRequest {
  const { schema, ...others } = rest;
  return {
    name: { database: "default", collection },
    shards: 1,
    consistencyLevel: 2,
    properties: [],
    addedFields: [],
    ...others,
    schema: schemaOf(
      collection,
      [
        field("id", int64, { isPrimaryKey: true }),
        field("vec", floatVector, { typeParams: [{ key: "dim", value: "4" }] }),
      ],
      schema,
    ),
  };
}
