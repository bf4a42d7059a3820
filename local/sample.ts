import { ConsistencyLevelEnum, DataType, type MilvusClient } from "@zilliz/milvus2-sdk-node";
import { answered, connectClient, countRows, dropCollection } from "./milvus-client.ts";

/** Reports one line of progress. */
type Say = (line: string) => void;

const dimension = 8;
const rowsPerBatch = 750;
const partitions = ["_default", "novelties"];
/** Rows of every partition come in two batches, each flushed: so it has several segments. */
const batches = [...partitions, ...partitions];
const deletedIds = [1, 2, 3];

/**
 * Makes a collection that is worth backing up; one of that name is replaced.
 * @throws LocalStackError with Milvus's reason
 */
export async function seedSample(address: string, collection: string, say: Say): Promise<void> {
  const client = await connectClient(address);
  try {
    if (await dropCollection(client, collection)) say(`replaced ${collection}`);
    await answered(
      `creating ${collection}`,
      client.createCollection({
        collection_name: collection,
        description: "a collection to back up",
        enable_dynamic_field: true,
        fields: [
          { name: "id", data_type: DataType.Int64, is_primary_key: true },
          { name: "title", data_type: DataType.VarChar, max_length: 64 },
          { name: "embeddings", data_type: DataType.FloatVector, dim: dimension },
        ],
      }),
    );
    for (const partition_name of partitions.slice(1)) {
      await answered("creating a partition", client.createPartition({ collection_name: collection, partition_name }));
    }
    for (const [batch, partition_name] of batches.entries()) {
      const data = Array.from({ length: rowsPerBatch }, (_, index) => rowOf(batch * rowsPerBatch + index));
      await answered("inserting", client.insert({ collection_name: collection, partition_name, data }));
      await client.flushSync({ collection_names: [collection] });
      say(`${(batch + 1) * rowsPerBatch} rows`);
    }
    await answered(
      "creating an index",
      client.createIndex({
        collection_name: collection,
        field_name: "embeddings",
        index_name: "embeddings_hnsw",
        index_type: "HNSW",
        metric_type: "L2",
        params: { M: 8, efConstruction: 64 },
      }),
    );
    await answered("loading", client.loadCollectionSync({ collection_name: collection }));
    const filter = `id in [${deletedIds.join(", ")}]`;
    await answered("deleting", client.delete({ collection_name: collection, filter }));
    say(`${collection} at ${address}: ${await countRows(client, collection)} rows, ${deletedIds.length} deleted`);
  } finally {
    await client.closeConnection();
  }
}

/** Says how many rows a loaded collection holds, and the nearest ones of three fixed vectors: the same data says the same. */
export async function showSample(address: string, collection: string, say: Say): Promise<void> {
  const client = await connectClient(address);
  try {
    const { collectionID } = await answered(
      `describing ${collection}`,
      client.describeCollection({ collection_name: collection }),
    );
    say(`${collection} (ID ${collectionID}) at ${address}: ${await countRows(client, collection)} rows`);
    for (const id of [10, 1500, 2990])
      say(`nearest to the vector of row ${id}: ${await nearest(client, collection, id)}`);
  } finally {
    await client.closeConnection();
  }
}

/** Drops a collection, if it is there. */
export async function dropSample(address: string, collection: string, say: Say): Promise<void> {
  const client = await connectClient(address);
  try {
    const dropped = await dropCollection(client, collection);
    say(`${dropped ? "dropped" : "there was no"} ${collection} at ${address}`);
  } finally {
    await client.closeConnection();
  }
}

async function nearest(client: MilvusClient, collection: string, id: number): Promise<string> {
  const { results } = await answered(
    "searching",
    client.search({
      collection_name: collection,
      data: [vectorOf(id)],
      limit: 5,
      output_fields: ["title"],
      consistency_level: ConsistencyLevelEnum.Strong,
    }),
  );
  return results.map((hit) => `${hit.title} (${hit.score.toFixed(3)})`).join(", ");
}

function rowOf(id: number) {
  return { id, title: `title ${id}`, embeddings: vectorOf(id), color: ["red", "green", "blue"][id % 3] };
}

/** A vector made from its ID alone. */
function vectorOf(id: number): number[] {
  return Array.from({ length: dimension }, (_, index) => Math.sin(id * (index + 1) * 0.37));
}
