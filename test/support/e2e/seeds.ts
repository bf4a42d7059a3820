import { DataType, type MilvusClient } from "@zilliz/milvus2-sdk-node";
import { load, must, type Name, named } from "./milvus.ts";

/** Numbers that look random and are the same in every run: what is compared can be compared again. */
function* pseudoRandom(seed: number): Generator<number, never> {
  let state = seed;
  for (;;) {
    // Linear congruential generator with the constants of Numerical Recipes.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

/** A vector of 32-bit floats between -1 and 1. */
export function vectorOf(seed: number, dimension: number): number[] {
  const numbers = pseudoRandom(seed + 1);
  return Array.from({ length: dimension }, () => Math.fround(numbers.next().value * 2 - 1));
}

/** Inserts rows and seals them into a segment (one a shard). */
export async function insertSegment(
  client: MilvusClient,
  name: Name,
  rows: readonly Record<string, unknown>[],
  partition?: string,
): Promise<void> {
  await must(
    client.insert({
      ...named(name),
      data: rows.map((row) => ({ ...row })) as never[],
      ...(partition !== undefined && { partition_name: partition }),
    }),
  );
  await must(client.flushSync({ ...named(name), collection_names: [name.collection] }));
}

/** Deletes rows by an expression and seals the deletes. */
export async function deleteRows(client: MilvusClient, name: Name, filter: string): Promise<void> {
  await must(client.delete({ ...named(name), filter }));
  await must(client.flushSync({ ...named(name), collection_names: [name.collection] }));
}

export interface SmallCollection {
  /** Segments in `_default`, one after another; 1 by default. */
  readonly segments?: number;
  /** Rows in each; 50 by default. */
  readonly rows?: number;
  readonly index?: boolean;
  readonly loaded?: boolean;
  readonly alias?: string;
  /** false: its segments stay as they were inserted, for tests that look at them twice. */
  readonly compaction?: boolean;
}

const dimension = 8;

/** Makes a small collection (Int64 key, text, vector, dynamic fields) for tests that are about something else than its content. */
export async function seedSmall(client: MilvusClient, name: Name, options: SmallCollection = {}): Promise<void> {
  const { segments = 1, rows = 50, index = true, loaded = true, alias, compaction = true } = options;
  await must(
    client.createCollection({
      ...named(name),
      fields: [
        { name: "id", data_type: DataType.Int64, is_primary_key: true },
        { name: "title", data_type: DataType.VarChar, max_length: 64 },
        { name: "vec", data_type: DataType.FloatVector, dim: dimension },
      ],
      enable_dynamic_field: true,
    }),
  );
  if (!compaction) {
    const properties = { "collection.autocompaction.enabled": "false" };
    await must(client.alterCollection({ ...named(name), properties }));
  }
  for (let segment = 0; segment < segments; segment += 1) {
    await insertSegment(
      client,
      name,
      Array.from({ length: rows }, (_, row) => smallRow(segment * rows + row)),
    );
  }
  if (index) await createVectorIndex(client, name);
  if (loaded && index) await load(client, name);
  if (alias !== undefined) await must(client.createAlias({ ...named(name), alias }));
}

export function smallRow(id: number): Record<string, unknown> {
  return { id, title: `row ${id} é漢字`, vec: vectorOf(id, dimension), extra: id * 3 };
}

export async function createVectorIndex(client: MilvusClient, name: Name): Promise<void> {
  await must(
    client.createIndex({
      ...named(name),
      field_name: "vec",
      index_name: "vec_hnsw",
      index_type: "HNSW",
      metric_type: "L2",
      params: { M: 8, efConstruction: 64 },
    }),
  );
}
