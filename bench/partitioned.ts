import { DataType, type MilvusClient } from "@zilliz/milvus2-sdk-node";
import { answered, dropCollection } from "../local/milvus-client.ts";

/** A collection of small partitions, as it is made. */
export interface PartitionedShape {
  readonly name: string;
  /** `key`: by the hash of a field; `name`: each row is put into one. */
  readonly partitionsBy: "key" | "name";
  /** That have rows. */
  readonly partitions: number;
  /** Of each partition; about so many where the hash of a key decides. */
  readonly rows: number;
  /** Milvus makes the keys, and takes none. */
  readonly autoId?: boolean;
}

/** Every tenant in a partition, as Milvus makes them where nobody says how many. */
export const tenants: readonly PartitionedShape[] = [
  { name: "bench_tenants", partitionsBy: "key", partitions: 64, rows: 100 },
];

/** 28 partitions of four collections, of which one makes its keys. */
export const shop: readonly PartitionedShape[] = [
  { name: "bench_shop_orders", partitionsBy: "name", partitions: 8, rows: 200 },
  { name: "bench_shop_items", partitionsBy: "key", partitions: 8, rows: 200 },
  { name: "bench_shop_users", partitionsBy: "name", partitions: 7, rows: 50 },
  { name: "bench_shop_events", partitionsBy: "name", partitions: 5, rows: 100, autoId: true },
];

const dimension = 8;
const vectorField = "embedding";

/**
 * Makes a collection of small partitions, flushed and indexed; one of that name is replaced.
 * @returns its rows
 */
export async function seedPartitioned(client: MilvusClient, shape: PartitionedShape): Promise<number> {
  const { name: collection_name, partitionsBy, partitions, rows, autoId = false } = shape;
  await dropCollection(client, collection_name);
  const byKey = partitionsBy === "key";
  const fields = [
    { name: "id", data_type: DataType.Int64, is_primary_key: true, autoID: autoId },
    { name: "tenant", data_type: DataType.VarChar, max_length: 64, ...(byKey && { is_partition_key: true }) },
    { name: vectorField, data_type: DataType.FloatVector, dim: dimension },
  ];
  const count = byKey ? { num_partitions: partitions } : {};
  await answered(`creating ${collection_name}`, client.createCollection({ collection_name, fields, ...count }));
  const all = Array.from({ length: partitions * rows }, (_, id) => rowOf(id, autoId));
  if (byKey) await answered("inserting", client.insert({ collection_name, data: all }));
  else {
    for (let partition = 0; partition < partitions; partition += 1) {
      const partition_name = `p${partition}`;
      await answered("creating a partition", client.createPartition({ collection_name, partition_name }));
      const data = all.slice(partition * rows, (partition + 1) * rows);
      await answered("inserting", client.insert({ collection_name, partition_name, data }));
    }
  }
  await answered("flushing", client.flushSync({ collection_names: [collection_name] }));
  const index = {
    field_name: vectorField,
    index_type: "HNSW",
    metric_type: "L2",
    params: { M: 8, efConstruction: 64 },
  };
  await answered("indexing", client.createIndex({ collection_name, ...index }));
  return all.length;
}

/** A row of which every value follows from its number; each tenant has a few. */
function rowOf(id: number, autoId: boolean) {
  return {
    ...(!autoId && { id }),
    tenant: `tenant ${id % 1_000}`,
    [vectorField]: Array.from({ length: dimension }, (_, index) => Math.fround(Math.sin(id * dimension + index))),
  };
}
