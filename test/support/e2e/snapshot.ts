import { ConsistencyLevelEnum, type MilvusClient } from "@zilliz/milvus2-sdk-node";
import { load, must, type Name, named } from "./milvus.ts";

export type Row = Readonly<Record<string, unknown>>;

/** Everything of a collection that a restore has to bring back, without what the server gives anew (IDs, channels, times). */
export interface CollectionSnapshot {
  readonly description: string;
  readonly enableDynamicField: boolean;
  readonly fields: readonly Readonly<Record<string, unknown>>[];
  readonly shards: number;
  readonly consistency: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly partitions: readonly string[];
  readonly indexes: readonly { readonly field: string; readonly name: string; readonly params: Row }[];
  readonly aliases: readonly string[];
  readonly loadState: string;
  /** By partition. */
  readonly partitionLoadStates: Readonly<Record<string, string>>;
}

/** Describes a collection by Milvus's own answers. */
export async function snapshot(client: MilvusClient, name: Name): Promise<CollectionSnapshot> {
  const described = await must(client.describeCollection(named(name)));
  const partitions = (await must(client.showPartitions(named(name)))).data.map((partition) => partition.name).sort();
  const loadStates = await Promise.all(
    partitions.map(async (partition) => [
      partition,
      (await must(client.getLoadState({ ...named(name), partition_names: [partition] }))).state,
    ]),
  );
  const { schema } = described;
  return {
    description: schema.description,
    enableDynamicField: schema.enable_dynamic_field,
    fields: schema.fields.map((field) => ({
      id: field.fieldID,
      name: field.name,
      type: field.data_type,
      elementType: field.element_type,
      description: field.description,
      primaryKey: field.is_primary_key,
      autoId: field.autoID,
      partitionKey: field.is_partition_key,
      typeParams: keyValues(field.type_params),
    })),
    shards: described.shards_num,
    consistency: String(described.consistency_level),
    properties: keyValues(described.properties),
    partitions,
    indexes: await listIndexes(client, name),
    aliases: [...described.aliases].sort(),
    loadState: (await must(client.getLoadState(named(name)))).state,
    partitionLoadStates: Object.fromEntries(loadStates),
  };
}

async function listIndexes(client: MilvusClient, name: Name): Promise<CollectionSnapshot["indexes"]> {
  const answer = await client.describeIndex(named(name));
  // A collection without an index is an error of its own for Milvus.
  if (answer.status.error_code === "IndexNotExist") return [];
  const { index_descriptions: indexes } = await must(Promise.resolve(answer));
  return indexes
    .map(({ field_name, index_name, params }) => ({ field: field_name, name: index_name, params: keyValues(params) }))
    .sort((a, b) => (a.field < b.field ? -1 : 1));
}

function keyValues(pairs: readonly { readonly key: unknown; readonly value: unknown }[]): Record<string, string> {
  return Object.fromEntries(pairs.map(({ key, value }) => [String(key), String(value)]));
}

/** Milvus answers at most so many rows to one query. */
const mostRows = 16_384;

/**
 * Every row of a loaded collection, sorted by primary key; vectors as the 32-bit values Milvus holds, 64-bit integers as strings,
 * dynamic fields under `$meta`.
 * @param partition only the rows of this partition
 */
export async function readRows(client: MilvusClient, name: Name, partition?: string): Promise<Row[]> {
  const { schema } = await must(client.describeCollection(named(name)));
  const key = schema.fields.find((field) => field.is_primary_key)?.name ?? "";
  const { data } = await must(
    client.query({
      ...named(name),
      filter: "",
      output_fields: ["*"],
      limit: mostRows,
      consistency_level: ConsistencyLevelEnum.Strong,
      ...(partition !== undefined && { partition_names: [partition] }),
    }),
  );
  if (data.length >= mostRows) throw new Error(`${name.collection} has more rows than one query can answer`);
  return data.sort((a, b) => compareKeys(String(a[key]), String(b[key])));
}

/** How many rows a loaded collection has: a key that is there twice, which a query of rows shows once, is two of them. */
export async function countRows(client: MilvusClient, name: Name): Promise<number> {
  const { data } = await must(
    client.query({
      ...named(name),
      filter: "",
      output_fields: ["count(*)"],
      consistency_level: ConsistencyLevelEnum.Strong,
    }),
  );
  return Number(data[0]?.["count(*)"]);
}

/** The rows of each partition of a loaded collection; a partition key leaves only the whole to look at. */
export async function readRowsByPartition(client: MilvusClient, name: Name): Promise<Record<string, Row[]>> {
  const { schema } = await must(client.describeCollection(named(name)));
  if (schema.fields.some((field) => field.is_partition_key)) return { "*": await readRows(client, name) };
  const { data } = await must(client.showPartitions(named(name)));
  const rows: Record<string, Row[]> = {};
  for (const { name: partition } of data) rows[partition] = await readRows(client, name, partition);
  return rows;
}

/** Gives a collection that has no index one, and loads all of it, so that its rows can be read. */
export async function makeReadable(client: MilvusClient, name: Name, vectorField: string): Promise<void> {
  const { indexes, loadState, partitionLoadStates } = await snapshot(client, name);
  if (indexes.length === 0) {
    await must(
      client.createIndex({
        ...named(name),
        field_name: vectorField,
        index_type: "FLAT",
        metric_type: "L2",
        params: {},
      }),
    );
  }
  const states = [loadState, ...Object.values(partitionLoadStates)];
  if (states.every((state) => state === "LoadStateLoaded")) return;
  // A partition that is loaded later than others answers queries only some time after it says it is loaded.
  await must(client.releaseCollection(named(name)));
  await load(client, name);
}

function compareKeys(a: string, b: string): number {
  const numeric = /^-?\d+$/;
  if (numeric.test(a) && numeric.test(b)) return BigInt(a) < BigInt(b) ? -1 : 1;
  return a < b ? -1 : 1;
}
