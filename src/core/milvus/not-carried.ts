import { isNonZero } from "./attributes.ts";
import type { CollectionDescription, CollectionName, IndexDescription } from "./descriptions.ts";
import { qualifiedName } from "./names.ts";
import { fieldAttributes, functionAttributes, schemaAttributes, structArrayAttributes } from "./schema-attributes.ts";

/**
 * What Milvus says of a collection, message by message of its protocol: what is carried (by the format or by our manifest), and what is the server's own,
 * which a new collection gets anew. Everything else neither this pipeline nor milvus-backup carries: a backup says so, and so does a restore of it.
 */
const described = {
  DescribeCollectionResponse: {
    carried: [
      ...["schema", "collectionID", "db_id", "shards_num", "consistency_level", "properties", "aliases"],
      ...["created_timestamp", "virtual_channel_names", "physical_channel_names"],
    ],
    own: [
      ...["status", "collection_name", "db_name", "num_partitions", "start_positions", "created_utc_timestamp"],
      ...["request_time", "update_timestamp", "update_timestamp_str"],
    ],
  },
  CollectionSchema: {
    carried: [
      ...["name", "description", "fields", "enable_dynamic_field", "properties", "functions", "struct_array_fields"],
      ...wiresOf(schemaAttributes),
    ],
    // the key tells whether IDs are given out; the version counts changes
    own: ["autoID", "dbName", "version"],
  },
  FieldSchema: { carried: wiresOf(fieldAttributes), own: [] },
  FunctionSchema: { carried: wiresOf(functionAttributes), own: [] },
  StructArrayFieldSchema: { carried: ["fields", ...wiresOf(structArrayAttributes)], own: [] },
  IndexDescription: {
    carried: ["index_name", "indexID", "params", "field_name"],
    own: [
      ...["indexed_rows", "total_rows", "pending_index_rows", "state", "index_state_fail_reason"],
      ...["min_index_version", "max_index_version"],
    ],
  },
} as const satisfies Record<string, { readonly carried: readonly string[]; readonly own: readonly string[] }>;
export type DescribedMessage = keyof typeof described;

/**
 * What of a message is not carried, in words.
 * @param message with the names of Milvus's protocol
 * @param name which one it is
 */
export function leftOver(type: DescribedMessage, message: Readonly<Record<string, unknown>>, name = ""): string[] {
  const known: ReadonlySet<string> = new Set([...described[type].carried, ...described[type].own]);
  const of = name === "" ? type : `${type} ${name}`;
  return Object.entries(message).flatMap(([field, value]) =>
    known.has(field) || !isNonZero(value) ? [] : [`${field} of ${of}`],
  );
}

/** What neither carries of a collection, in words; none where there is nothing. */
export function notCarriedOf(description: CollectionDescription, indexes: readonly IndexDescription[]): string[] {
  return [...new Set([...(description.notCarried ?? []), ...indexes.flatMap(({ notCarried = [] }) => notCarried)])];
}

/** Said when it is backed up. */
export function notBackedUp(collection: string, what: readonly string[]): string {
  return `${collection}: neither this pipeline nor milvus-backup carries ${what.join(", ")}: a restore makes the collection without it`;
}

/**
 * Said when it is restored, once for each collection.
 * @param notCarried what the manifest has of it, by `db.coll`
 */
export function notRestoredWarnings(
  notCarried: Readonly<Record<string, readonly string[]>>,
  restored: readonly { readonly source: CollectionName }[],
): string[] {
  const names = new Set(restored.map(({ source }) => qualifiedName(source)));
  return Object.entries(notCarried).flatMap(([collection, what]) =>
    names.has(collection)
      ? [
          `${collection} had, when it was backed up, what no backup carries: ${what.join(", ")}. It is restored without it`,
        ]
      : [],
  );
}

/** The property, of a collection or of its schema, that asks for namespaces. */
const namespaces = "namespace.enabled";

/**
 * Why a collection is not backed up at all: what would be saved is half of it. undefined where it can be.
 * - external (Milvus 3): its rows lie in files outside of Milvus
 * - with namespaces (Milvus 3): which namespace a row belongs to is in a field that Milvus does not describe
 */
export function refusalOf({ name, schema, properties }: CollectionDescription): string | undefined {
  const { externalSource, externalSpec, enableNamespace, fields } = schema;
  if (externalSource !== "" || externalSpec !== "" || fields.some(({ externalField }) => externalField)) {
    return `${qualifiedName(name)} is an external collection, whose rows lie in files outside of Milvus`;
  }
  const asked = [...schema.properties, ...properties].some(
    ({ key, value }) => key === namespaces && value.toLowerCase() === "true",
  );
  if (!enableNamespace && !asked) return undefined;
  return `${qualifiedName(name)} has namespaces, which are in a field that Milvus does not describe`;
}

function wiresOf(table: Readonly<Record<string, { readonly wire: string }>>): string[] {
  return Object.values(table).map(({ wire }) => wire);
}
