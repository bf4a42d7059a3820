import type {
  CollectionDescription,
  CollectionName,
  CreateCollectionRequest,
  IndexDescription,
  KeyValue,
  PartitionDescription,
} from "../../core/milvus/descriptions.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { absence, statusError } from "./errors.ts";
import type { GrpcCall, GrpcClient } from "./grpc-client.ts";
import { leftOverOfCollection, leftOverOfIndex } from "./left-over.ts";
import type { PlainMessage } from "./protocol.ts";
import { encodeField, encodeSchema, readKeyValue, readSchema, type SchemaMessage } from "./schema.ts";

/** `milvuspb.DescribeCollectionResponse` */
export interface DescribeCollectionAnswer extends PlainMessage {
  readonly schema: SchemaMessage;
  readonly collectionID: string;
  readonly db_id: string;
  readonly shards_num: number;
  readonly consistency_level: number;
  readonly properties: readonly KeyValue[];
  readonly aliases: readonly string[];
  readonly created_timestamp: string;
  readonly virtual_channel_names: readonly string[];
  readonly physical_channel_names: readonly string[];
}

/** What every call about a collection carries. */
export function aboutCollection(name: CollectionName): GrpcCall {
  return { database: name.database, subject: qualifiedName(name) };
}

/** @throws CollectionNotFound */
export async function describeCollection(client: GrpcClient, name: CollectionName): Promise<CollectionDescription> {
  const request = { collection_name: name.collection };
  const answer = await client.call<DescribeCollectionAnswer>("DescribeCollection", request, aboutCollection(name));
  const beyond = leftOverOfCollection(answer);
  return {
    name,
    id: answer.collectionID,
    databaseId: answer.db_id,
    schema: readSchema(answer.schema),
    shards: answer.shards_num,
    consistencyLevel: answer.consistency_level,
    properties: answer.properties.map(readKeyValue),
    aliases: [...answer.aliases],
    createdTimestamp: answer.created_timestamp,
    virtualChannels: [...answer.virtual_channel_names],
    physicalChannels: [...answer.physical_channel_names],
    ...(beyond.length > 0 && { notCarried: beyond }),
  };
}

interface ShowCollectionsAnswer {
  readonly collection_names: readonly string[];
  readonly collection_ids: readonly string[];
}

/** Collections of a database: name and ID. */
export async function showCollections(client: GrpcClient, database: string): Promise<{ name: string; id: string }[]> {
  const answer = await client.call<ShowCollectionsAnswer>("ShowCollections", {}, { database });
  return answer.collection_names.map((name, index) => ({ name, id: answer.collection_ids[index] ?? "0" }));
}

export async function listPartitions(client: GrpcClient, name: CollectionName): Promise<PartitionDescription[]> {
  const answer = await client.call<{
    readonly partition_names: readonly string[];
    readonly partitionIDs: readonly string[];
  }>("ShowPartitions", { collection_name: name.collection }, aboutCollection(name));
  return answer.partition_names.map((partition, index) => ({ name: partition, id: answer.partitionIDs[index] ?? "0" }));
}

/** `milvuspb.IndexDescription` */
interface IndexMessage extends PlainMessage {
  readonly indexID: string;
  readonly index_name: string;
  readonly field_name: string;
  readonly params: readonly KeyValue[];
}

export async function listIndexes(client: GrpcClient, name: CollectionName): Promise<IndexDescription[]> {
  const about = aboutCollection(name);
  const outcome = await client.attempt<{
    readonly index_descriptions: readonly IndexMessage[];
    readonly unknown_fields?: readonly string[];
  }>("DescribeIndex", { collection_name: name.collection }, about);
  if (outcome.kind === "unimplemented") return [];
  if (outcome.kind === "refused") {
    if (absence.isIndexNotFound(outcome.status)) return [];
    throw statusError(client.endpoint, "DescribeIndex", outcome.status, about);
  }
  const { index_descriptions: indexes, unknown_fields: unknown } = outcome.response;
  return indexes.map((index) => {
    const beyond = leftOverOfIndex(index, unknown);
    return {
      id: index.indexID,
      fieldName: index.field_name,
      indexName: index.index_name,
      params: Object.fromEntries(index.params.map(({ key, value }) => [key, value])),
      ...(beyond.length > 0 && { notCarried: beyond }),
    };
  });
}

export async function dropIndex(
  client: GrpcClient,
  name: CollectionName,
  { fieldName, indexName }: Pick<IndexDescription, "fieldName" | "indexName">,
): Promise<void> {
  const about = { ...aboutCollection(name), part: `index ${indexName} on ${fieldName}` };
  const request = { collection_name: name.collection, field_name: fieldName, index_name: indexName };
  const outcome = await client.attempt("DropIndex", request, about);
  if (outcome.kind === "refused" && !absence.isIndexNotFound(outcome.status)) {
    throw statusError(client.endpoint, "DropIndex", outcome.status, about);
  }
}

/** `commonpb.LoadState` */
const loadState = { loading: 2, loaded: 3 } as const;

/** Percent loaded, 0 where not loaded; of the collection, or of one partition. */
export async function loadingProgress(client: GrpcClient, name: CollectionName, partition?: string): Promise<number> {
  const about = aboutCollection(name);
  const request = { collection_name: name.collection, partition_names: partition === undefined ? [] : [partition] };
  // GetLoadingProgress of something that is not loaded is an error on some versions and 0 on others
  const { state } = await client.call<{ readonly state: number }>("GetLoadState", request, about);
  if (state === loadState.loaded) return 100;
  if (state !== loadState.loading) return 0;
  const { progress } = await client.call<{ readonly progress: string }>("GetLoadingProgress", request, about);
  return Number(progress);
}

/** Also of a collection of which single partitions are loaded. */
export async function isLoaded(client: GrpcClient, name: CollectionName): Promise<boolean> {
  const request = { collection_name: name.collection, partition_names: [] };
  const { state } = await client.call<{ readonly state: number }>("GetLoadState", request, aboutCollection(name));
  return state === loadState.loaded || state === loadState.loading;
}

/**
 * No call tells the limit (`proxy.maxShardNum`), but the proxy looks at the shards of a new collection before it looks at anything else: one
 * without a name and without fields is refused either way, for its shards or for the rest.
 */
export async function shardLimit(client: GrpcClient, database: string, shards: number): Promise<number | undefined> {
  const request = { collection_name: "", shards_num: shards };
  const outcome = await client.attempt("CreateCollection", request, { database });
  if (outcome.kind !== "refused") return undefined;
  const limit = /shards?'s number should be limited to (\d+)/.exec(outcome.status.reason)?.[1];
  return limit === undefined ? undefined : Number(limit);
}

const functionCheck = "disable_func_runtime_check";

/**
 * Creates a collection exactly as described; the order of the fields decides their IDs (100, 101 ...).
 * @param checksFunctions Milvus 2.6.8+: a collection with functions is created with their check at run time off, since imported
 *   rows bring the functions' output with them, and set back to what was asked for afterwards
 */
export async function createCollection(
  client: GrpcClient,
  request: CreateCollectionRequest,
  checksFunctions: boolean,
): Promise<void> {
  const { name } = request;
  const about = aboutCollection(name);
  const suspendCheck = checksFunctions && request.schema.functions.length > 0;
  const properties = request.properties.map(readKeyValue);
  const wanted = properties.find(({ key }) => key === functionCheck)?.value ?? "false";
  await client.call(
    "CreateCollection",
    {
      collection_name: name.collection,
      schema: encodeSchema(name.collection, request.schema),
      shards_num: request.shards,
      consistency_level: request.consistencyLevel,
      properties: suspendCheck
        ? [...properties.filter(({ key }) => key !== functionCheck), { key: functionCheck, value: "true" }]
        : properties,
      num_partitions: request.partitionCount ?? 0,
    },
    about,
  );
  for (const field of request.addedFields) {
    await client.call(
      "AddCollectionField",
      { collection_name: name.collection, schema: encodeField(field) },
      { ...about, part: `field ${field.name}` },
    );
  }
  if (suspendCheck && wanted !== "true") {
    const restored = [{ key: functionCheck, value: wanted }];
    await client.call("AlterCollection", { collection_name: name.collection, properties: restored }, about);
  }
}
