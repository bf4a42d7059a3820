import type { RestoreInput } from "../../src/core/execution/messages.ts";
import type { CollectionName, SchemaDescription } from "../../src/ports/milvus.ts";
import { payloadOf } from "./binlog-writer.ts";
import { collectionDescription } from "./collection-description.ts";
import type { MemoryRow, MemorySegment } from "./memory-milvus/collection.ts";
import { field, floatVector, int64, varChar } from "./milvus-fields.ts";
import { PipelineWorld } from "./pipeline-world.ts";
import { deltaLog, tick } from "./row-backup.ts";
import { runBackup } from "./run-machines.ts";

/** A row: its key, a text and when it was written, in ticks. */
export interface SmallRow {
  readonly id: number;
  /** null: none is stored, which no Milvus does of this field. */
  readonly text: string | null;
  readonly at: number;
}

/** A segment of a partition, with deletes of keys: the key, and when, in ticks. */
interface SmallSegment {
  readonly partition: string;
  readonly rows: readonly SmallRow[];
  readonly deletes?: readonly (readonly [id: number, at: number])[];
  /** Not sealed before the backup flushes: it may have rows from after the instant. */
  readonly growing?: boolean;
  /** As Milvus counts them: more than are in its logs make it too large to be inserted. */
  readonly counted?: number;
}

export interface SmallCollection {
  readonly name: string;
  readonly segments: readonly SmallSegment[];
  /** Rows go where the hash of their text puts them: partitions are `_default_0` and so on. */
  readonly byKey?: boolean;
  readonly autoId?: boolean;
}

export const target: CollectionName = { database: "default", collection: "orders_bak" };
export const input: RestoreInput = { environment: "dr", backupName: "nightly", suffix: "_bak" };

/** Rows with these keys; each has a text and a moment that follow from its key. */
export function rowsOf(...ids: readonly number[]): SmallRow[] {
  return ids.map((id) => ({ id, text: `text ${id}`, at: id }));
}

/** Four partitions of a few rows, one of them of two segments, with a delete of a row that is older and of one that is newer. */
export const orders: SmallCollection = {
  name: "orders",
  segments: [
    { partition: "_default", rows: rowsOf(1, 2, 3) },
    {
      partition: "p1",
      rows: [...rowsOf(11, 12), { id: 13, text: "again", at: 50 }],
      deletes: [
        [11, 40],
        [13, 40],
      ],
    },
    { partition: "p1", rows: rowsOf(14) },
    { partition: "p2", rows: rowsOf(21, 22, 23, 24) },
    { partition: "p3", rows: rowsOf(31) },
  ],
};

/** Prod with a backup `nightly` of collections of small partitions, in real binlogs, which `dr` is going to restore. */
export async function partitionedWorld(collections: readonly SmallCollection[] = [orders]): Promise<PipelineWorld> {
  const world = new PipelineWorld();
  for (const [index, collection] of collections.entries()) seed(world, collection, index);
  await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
  return world;
}

function seed(world: PipelineWorld, { name, segments, byKey = false, autoId = false }: SmallCollection, index: number) {
  const collectionId = String(470_000_000_000_001_000n + BigInt(index) * 1_000n);
  const names = [...new Set([...(byKey ? [] : ["_default"]), ...segments.map(({ partition }) => partition)])].sort();
  const partitions = names.map((partition, at) => ({
    id: String(BigInt(collectionId) + 100n + BigInt(at)),
    name: partition,
  }));
  const schema: Partial<SchemaDescription> = {
    fields: [
      field("id", int64, { fieldId: "100", isPrimaryKey: true, autoId }),
      field("text", varChar, {
        fieldId: "101",
        typeParams: [{ key: "max_length", value: "64" }],
        isPartitionKey: byKey,
      }),
      field("vec", floatVector, { fieldId: "102", typeParams: [{ key: "dim", value: "2" }] }),
    ],
  };
  const described = segments.map((segment, at): MemorySegment => {
    const id = String(BigInt(collectionId) + 500n + BigInt(at));
    const partitionId = partitions.find((partition) => partition.name === segment.partition)?.id ?? "0";
    const path = { collectionId, partitionId, id };
    seedSegment(world, path, segment);
    const rows = BigInt(segment.counted ?? segment.rows.length);
    return { ...path, rows, state: segment.growing ? "Growing" : "Flushed", isL0: false, storageVersion: "0" };
  });
  world.milvus("prod").addCollection(collectionDescription(name, { id: collectionId, schema }), {
    partitions,
    segments: described.filter(({ state }) => state === "Flushed"),
    growing: described.filter(({ state }) => state === "Growing"),
    indexes: [{ id: "470000000000000400", fieldName: "vec", indexName: "vec_idx", params: { index_type: "FLAT" } }],
  });
}

function seedSegment(
  world: PipelineWorld,
  { collectionId, partitionId, id }: { collectionId: string; partitionId: string; id: string },
  { rows, deletes = [], counted = rows.length }: SmallSegment,
): void {
  world.seedSegment("prod", { collectionId, partitionId, id, rows: BigInt(counted) }, ["0", "1", "100", "101", "102"]);
  const payloads: readonly (readonly [field: bigint, dataType: number, payload: Uint8Array])[] = [
    [0n, int64, payloadOf({ type: "int64", values: rows.map((_, at) => BigInt(id) + BigInt(at)) })],
    [1n, int64, payloadOf({ type: "int64", values: rows.map(({ at }) => tick(at)) })],
    [100n, int64, payloadOf({ type: "int64", values: rows.map((row) => BigInt(row.id)) })],
    [101n, varChar, payloadOf({ type: "text", values: rows.map(({ text }) => text) })],
    [102n, floatVector, payloadOf({ type: { fixed: 8 }, values: rows.map((row) => vectorOf(row.id)) })],
  ];
  for (const [fieldId, dataType, payload] of payloads) {
    const key = `insert_log/${collectionId}/${partitionId}/${id}/${fieldId}/1${id}`;
    world.seedPayload("prod", { key, id, fieldId, dataType }, payload);
  }
  const { storage } = world.environment("prod");
  const key = `${storage.rootPath}/delta_log/${collectionId}/${partitionId}/${id}/2${id}`;
  if (deletes.length > 0) world.bucket(storage.bucket).seed(key, deltaLog(deletes));
}

export function vectorOf(id: number): Uint8Array {
  return new Uint8Array(new Float32Array([id, 1 / (id + 3)]).buffer);
}

/** Rows as they were inserted: partition, key and text, in order. */
export function told(rows: readonly MemoryRow[]): string[] {
  return rows.map(({ partition, values }) => `${partition} ${values.get("id")} ${values.get("text")}`);
}
