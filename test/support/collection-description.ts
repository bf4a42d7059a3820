import type { CollectionDescription, SchemaDescription } from "../../src/ports/milvus.ts";
import { field, floatVector, int64, schemaOf } from "./milvus-fields.ts";

/** A collection as Milvus describes it: an Int64 key (100) and a 4-dim vector (101). */
export function collectionDescription(
  collection: string,
  rest: Partial<Omit<CollectionDescription, "schema" | "name">> & {
    database?: string;
    schema?: Partial<SchemaDescription>;
  } = {},
): CollectionDescription {
  const { schema, database = "default", ...others } = rest;
  return {
    name: { database, collection },
    id: "470000000000000100",
    databaseId: "1",
    shards: 1,
    consistencyLevel: 2,
    properties: [],
    aliases: [],
    createdTimestamp: "445000000000000000",
    virtualChannels: [`by-dev-rootcoord-dml_0_${collection}v0`],
    physicalChannels: ["by-dev-rootcoord-dml_0"],
    ...others,
    schema: schemaOf(
      collection,
      [
        field("id", int64, { fieldId: "100", isPrimaryKey: true }),
        field("vec", floatVector, { fieldId: "101", typeParams: [{ key: "dim", value: "4" }] }),
      ],
      schema,
    ),
  };
}
