import { setTimeout as sleep } from "node:timers/promises";
import { DataType, type MilvusClient } from "@zilliz/milvus2-sdk-node";
import { LocalStackError } from "../local/errors.ts";
import { answered } from "../local/milvus-client.ts";
import { names, partitionOf } from "./collection.ts";
import { type Digit, dimension } from "./digits.ts";
import { count } from "./report.ts";

/** Each ends in a flush, which makes a segment in each partition: above 1,024 rows, from where on Milvus builds the index. */
const flushes = 4;
/** Every so many-th digit is deleted again. */
const deleteEvery = 97;

export interface LoadOptions {
  /** Told of every step, in a few words. */
  readonly onProgress: (text: string) => void;
  readonly signal: AbortSignal;
}

/** What was loaded. */
export interface LoadedDigits {
  readonly inserted: number;
  /** IDs. */
  readonly deleted: ReadonlySet<number>;
}

/** Makes the collection with two partitions, several segments, an index, an alias and deleted rows, and loads it. */
export async function loadDigits(
  client: MilvusClient,
  digits: readonly Digit[],
  options: LoadOptions,
): Promise<LoadedDigits> {
  await createCollection(client);
  await insertAll(client, digits, options);
  await buildIndex(client, options);
  const deleted = digits.filter(({ id }) => id % deleteEvery === 0).map(({ id }) => id);
  await answered(
    "deleting digits",
    client.delete({ collection_name: names.collection, filter: `id in [${deleted.join(",")}]` }),
  );
  options.onProgress(`${deleted.length} digits deleted again`);
  return { inserted: digits.length, deleted: new Set(deleted) };
}

async function createCollection(client: MilvusClient): Promise<void> {
  const collection_name = names.collection;
  await answered(
    `creating ${collection_name}`,
    client.createCollection({
      collection_name,
      description: "Handwritten digits, 28 x 28 pixels each",
      fields: [
        { name: "id", data_type: DataType.Int64, is_primary_key: true },
        { name: "label", data_type: DataType.Int8 },
        { name: "pixels", data_type: DataType.FloatVector, dim: dimension },
      ],
    }),
  );
  for (const partition_name of Object.values(names.partitions)) {
    await answered(
      `creating the partition ${partition_name}`,
      client.createPartition({ collection_name, partition_name }),
    );
  }
  await answered(`naming the alias ${names.alias}`, client.createAlias({ collection_name, alias: names.alias }));
}

async function insertAll(client: MilvusClient, digits: readonly Digit[], options: LoadOptions): Promise<void> {
  const collection_name = names.collection;
  const size = Math.ceil(digits.length / flushes);
  for (let from = 0; from < digits.length; from += size) {
    options.signal.throwIfAborted();
    const batch = digits.slice(from, from + size);
    for (const [partition_name, rows] of Map.groupBy(batch, ({ label }) => partitionOf(label))) {
      const data = rows.map(({ id, label, pixels }) => ({ id, label, pixels: [...pixels] }));
      await answered("inserting digits", client.insert({ collection_name, partition_name, data }));
    }
    await answered("flushing", client.flushSync({ collection_names: [collection_name] }));
    options.onProgress(`${count(from + batch.length)} of ${count(digits.length)} digits inserted and flushed`);
  }
}

async function buildIndex(client: MilvusClient, { onProgress, signal }: LoadOptions): Promise<void> {
  const collection_name = names.collection;
  await answered(
    "creating the index",
    client.createIndex({
      collection_name,
      field_name: "pixels",
      index_name: names.index,
      index_type: "HNSW",
      metric_type: "L2",
      params: { M: 16, efConstruction: 200 },
    }),
  );
  await untilIndexed(client, signal);
  await answered("loading", client.loadCollectionSync({ collection_name }));
  onProgress("HNSW index built, collection loaded");
}

async function untilIndexed(client: MilvusClient, signal: AbortSignal, timeoutMs = 120_000): Promise<void> {
  const giveUp = performance.now() + timeoutMs;
  for (;;) {
    const { index_descriptions } = await answered(
      "describing the index",
      client.describeIndex({ collection_name: names.collection, index_name: names.index }),
    );
    if (index_descriptions.every(({ state }) => state === "Finished")) return;
    if (performance.now() > giveUp) throw new LocalStackError(`The index is not built after ${timeoutMs / 1000} s.`);
    await sleep(250, undefined, { signal });
  }
}
