import { type Call, type CallsOf, collectionName } from "./calls.ts";
import { physicalChannel } from "./catalog-calls.ts";
import type { FakeModel } from "./model.ts";
import type { FakeCollection, KeyValue } from "./records.ts";
import { type Message, notFound, Refusal, unexpected } from "./refusal.ts";
import { isVector } from "./schema.ts";

/** Indexes, loading, flushing, segments, counts. */
export const dataCalls: CallsOf = (model) => {
  const collectionOf = (call: Call) => model.collection(call.database, collectionName(call));
  const partitionsOf = (call: Call) => (call.request.partition_names as string[] | undefined) ?? [];

  function load(collection: FakeCollection, partitions: readonly string[]): void {
    const indexed = new Set(collection.indexes.map(({ fieldName }) => fieldName));
    const bare = collection.schema.fields.filter((field) => isVector(field) && !indexed.has(field.name));
    if (bare.length > 0) {
      const names = bare.map(({ name }) => name).join(" ");
      throw unexpected(`there is no vector index on field: [${names}], please create index firstly`);
    }
    for (const partition of partitions) collection.loaded.add(partition);
  }

  return {
    DescribeIndex: (call) => {
      const collection = collectionOf(call);
      const { field_name: field, index_name: name } = call.request;
      const found = collection.indexes.filter(
        (index) => (!field || index.fieldName === field) && (!name || index.name === name),
      );
      if (found.length === 0) throw notFound("indexNotFound", { collection: collection.name });
      const rows = String(rowCount(collection));
      return {
        index_descriptions: found.map((index) => ({
          index_name: index.name,
          indexID: index.id,
          params: index.params,
          field_name: index.fieldName,
          indexed_rows: rows,
          total_rows: rows,
          state: "Finished",
        })),
      };
    },

    CreateIndex: (call) => {
      const collection = collectionOf(call);
      const { field_name: fieldName, index_name: given, extra_params: extra } = call.request as Record<string, string>;
      const field = collection.schema.fields.find(({ name }) => name === fieldName);
      if (!field) throw new Refusal("parameterInvalid", `: cannot create index on non-exist field: ${fieldName}`);
      const params = (extra as unknown as KeyValue[]).map(({ key, value }) => ({ key, value }));
      const name = given || String(fieldName);
      if (!/^[A-Za-z_]\w*$/.test(name)) {
        throw new Refusal(
          "parameterInvalid",
          `: Invalid index name: ${name}. the first character of a index name must be an underscore or letter`,
        );
      }
      const same = collection.indexes.find((index) => index.fieldName === fieldName || index.name === name);
      if (same) {
        if (same.name === name && same.fieldName === fieldName && sameParams(same.params, params)) return;
        throw unexpected("CreateIndex failed: at most one distinct index is allowed per field");
      }
      collection.indexes.push({ id: model.newId(), name, fieldName: String(fieldName), params });
    },

    DropIndex: (call) => {
      const collection = collectionOf(call);
      const at = collection.indexes.findIndex(({ name }) => name === call.request.index_name);
      if (at < 0) return;
      const [index] = collection.indexes.slice(at);
      const field = collection.schema.fields.find(({ name }) => name === index?.fieldName);
      if (collection.loaded.size > 0 && field && isVector(field)) {
        throw unexpected("vector index cannot be dropped on loaded collection");
      }
      collection.indexes.splice(at, 1);
    },

    LoadCollection: (call) => load(collectionOf(call), ["all"]),

    LoadPartitions: (call) => {
      const collection = collectionOf(call);
      for (const partition of partitionsOf(call)) model.partition(collection, partition);
      load(collection, partitionsOf(call));
    },

    ReleaseCollection: (call) => collectionOf(call).loaded.clear(),

    ReleasePartitions: (call) => {
      const { loaded } = collectionOf(call);
      for (const partition of partitionsOf(call)) loaded.delete(partition);
    },

    GetLoadState: (call) => {
      const collection = model.find(call.database, collectionName(call));
      if (!collection) return { state: "LoadStateNotExist" };
      return { state: isLoaded(collection, partitionsOf(call)) ? "LoadStateLoaded" : "LoadStateNotLoad" };
    },

    GetLoadingProgress: (call) => {
      const collection = collectionOf(call);
      if (!isLoaded(collection, partitionsOf(call))) {
        throw new Refusal("collectionNotLoaded", `[collection=${collection.name}]`);
      }
      return { progress: "100", refresh_progress: "100" };
    },

    GetReplicas: (call) => {
      const collection = collectionOf(call);
      if (!isLoaded(collection, [])) throw new Refusal("collectionNotLoaded", `[collection=${collection.name}]`);
      const replica = {
        replicaID: collection.id,
        collectionID: collection.id,
        resource_group_name: "__default_resource_group",
      };
      return { replicas: [replica] };
    },

    Flush: (call) => {
      const names = call.request.collection_names as string[];
      const flushed = names.map((name) => [name, model.collection(call.database, name)] as const);
      const by = (of: (collection: FakeCollection) => unknown) =>
        Object.fromEntries(flushed.map(([name, collection]) => [name, of(collection)]));
      const sealed = by((collection) => ({ data: sealGrowing(collection) }));
      const timestamp = model.timestamp();
      return {
        db_name: call.database,
        coll_segIDs: sealed,
        flush_coll_segIDs: by(({ segments }) => ({ data: segments.filter(isSealed).map(({ id }) => id) })),
        coll_seal_times: by(() => String(Math.floor(Date.now() / 1000))),
        coll_flush_ts: by(() => timestamp),
        channel_cps: Object.fromEntries(
          flushed.flatMap(([, { channels }]) => channels.map((channel) => [channel, position(channel, timestamp)])),
        ),
      };
    },

    GetFlushState: () => ({ flushed: true }),

    FlushAll: () => {
      const collections = allCollections(model);
      for (const collection of collections) sealGrowing(collection);
      const timestamp = model.timestamp();
      if (!model.isAtLeast("2.6.11")) return { flush_all_ts: timestamp };
      const channels = physicalChannels(model);
      return {
        flush_all_ts: timestamp,
        flush_all_msgs: Object.fromEntries(
          channels.map((channel, index) => [channel, flushAllMessage(channel, timestamp, index)]),
        ),
        cluster_info: { cluster_id: "by-dev", cchannel: `${channels[0]}_vcchan`, pchannels: channels },
      };
    },

    GetFlushAllState: () => ({ flushed: true }),

    GetPersistentSegmentInfo: (call) => {
      const collection = collectionOf(call);
      return {
        infos: collection.segments.filter(isSealed).map((segment) => ({
          segmentID: segment.id,
          collectionID: collection.id,
          partitionID: segment.partitionId,
          num_rows: String(segment.rows),
          state: segment.state,
          level: segment.level,
          ...(model.isAtLeast("2.5.0") ? { is_sorted: segment.isSorted } : {}),
          ...(model.isAtLeast("2.6.0") ? { storage_version: segment.storageVersion } : {}),
        })),
      };
    },

    GetCollectionStatistics: (call) => ({ stats: [{ key: "row_count", value: String(rowCount(collectionOf(call))) }] }),

    GetPartitionStatistics: (call) => {
      const collection = collectionOf(call);
      const { id } = model.partition(collection, String(call.request.partition_name));
      return { stats: [{ key: "row_count", value: String(rowCount(collection, id)) }] };
    },

    Query: (call) => {
      const collection = collectionOf(call);
      if (!isLoaded(collection, partitionsOf(call))) {
        throw new Refusal("collectionNotLoaded", `[collection=${collection.name}]`);
      }
      const outputs = call.request.output_fields as string[];
      if (outputs.join() !== "count(*)") throw unexpected("this fake holds no rows: only count(*) can be queried");
      const data = [String(rowCount(collection))];
      return { fields_data: [{ type: "Int64", field_name: "count(*)", scalars: { long_data: { data } } }] };
    },

    /** The position of the channel that CDC of 2.5 replicates through; streaming (2.6) has none. */
    ReplicateMessage: ({ request }) => {
      if (model.isAtLeast("2.6.0")) throw new Refusal("denyReplicate");
      const bytes = Buffer.from(`${String(request.channel_name)}:${model.timestamp()}`);
      return { position: bytes.toString("base64") };
    },
  };
};

function isSealed({ state }: { readonly state: string }): boolean {
  return state === "Flushed" || state === "Flushing" || state === "Sealed";
}

/** Flushes what grows; answers the IDs of what was sealed just now. */
function sealGrowing(collection: FakeCollection): string[] {
  const growing = collection.segments.filter(({ state }) => state === "Growing" || state === "Sealed");
  collection.segments = collection.segments.map((segment) =>
    growing.includes(segment) ? { ...segment, state: "Flushed" as const } : segment,
  );
  return growing.map(({ id }) => id);
}

function isLoaded({ loaded }: FakeCollection, partitions: readonly string[]): boolean {
  if (loaded.has("all")) return true;
  return partitions.length === 0 ? loaded.size > 0 : partitions.every((partition) => loaded.has(partition));
}

/** Deletes take nothing from it: Milvus counts what segments say, but not what L0 segments do. */
function rowCount({ segments }: FakeCollection, partition?: string): bigint {
  return segments
    .filter(
      ({ level, state, partitionId }) =>
        level !== "L0" && state !== "Dropped" && (partition ?? partitionId) === partitionId,
    )
    .reduce((sum, { rows }) => sum + rows, 0n);
}

function sameParams(one: readonly KeyValue[], other: readonly KeyValue[]): boolean {
  const text = (pairs: readonly KeyValue[]) => JSON.stringify(pairs.map(({ key, value }) => `${key}=${value}`).sort());
  return text(one) === text(other);
}

function position(channel: string, timestamp: string): Message {
  const msgID = Buffer.alloc(8);
  msgID.writeBigInt64LE(BigInt(timestamp) & 0xffff_ffffn);
  return { channel_name: channel, msgID, msgGroup: `group-${channel}`, timestamp };
}

function allCollections(model: FakeModel): FakeCollection[] {
  return [...model.databases.values()].flatMap(({ collections }) => [...collections.values()]);
}

/** Those of every collection; at least the one that the control channel lies on. */
function physicalChannels(model: FakeModel): string[] {
  const used = allCollections(model).flatMap(({ channels }) => channels.map(physicalChannel));
  return [...new Set(["by-dev-rootcoord-dml_0", ...used])];
}

/** `MessageTypeFlushAll` of the streaming messages. */
const flushAllType = 37;

/** The message that FlushAll left in a channel: properties are text, numbers to the base of 36. */
function flushAllMessage(channel: string, timestamp: string, index: number): Message {
  return {
    id: { id: (index + 1).toString(36), WAL_name: "RocksMQ" },
    payload: Buffer.alloc(0),
    properties: {
      _t: String(flushAllType),
      _v: "2",
      _tt: BigInt(timestamp).toString(36),
      _vc: channel,
      _lc: (index + 1).toString(36),
    },
  };
}
