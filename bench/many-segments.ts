import { DataType, type MilvusClient } from "@zilliz/milvus2-sdk-node";
import { answered, dropCollection } from "../local/milvus-client.ts";

/** A collection of small segments, as it was made. */
export interface ManySegments {
  readonly rows: number;
  readonly segments: number;
  /** Files of field logs: one for each field of a segment, the row ID and the timestamp included. */
  readonly objects: number;
  /** Rows that are deleted again: then some segments have a delta log each. */
  readonly deleted: number;
}

export const vectorField = "embedding";

/** What a collection is made by: each flush seals four segments. */
export interface SegmentsShape {
  readonly flushes: number;
  /** Whether of the rows of every second flush some are deleted, in each of its segments. */
  readonly deletes?: boolean;
}
/** 80 segments: what milvus-backup restores slowest on Milvus 2.2 and 2.3. */
export const manySegments: SegmentsShape = { flushes: 20 };
/** The same with deletes in half of them. */
export const manyWithDeletes: SegmentsShape = { flushes: 20, deletes: true };
/** 4 segments: a backup of which next to nothing is copied. */
export const fewSegments: SegmentsShape = { flushes: 1 };

/** Rows are dealt to the shards by the hash of their key, and a flush seals what each shard has. */
const shards = 4;
const rowsPerSegment = 500;
/** Enough that each shard has some of them. */
const deletedPerFlush = 100;
const dimension = 8;
const fields = [
  { name: "id", data_type: DataType.Int64, is_primary_key: true },
  { name: "title", data_type: DataType.VarChar, max_length: 64 },
  { name: vectorField, data_type: DataType.FloatVector, dim: dimension },
];
const systemFields = 2;

/**
 * Makes a collection of small segments with 500 rows in 5 objects each; one of that name is replaced. It gets no index: Milvus compacts
 * what is indexed, and 80 segments would soon be a few.
 */
export async function seedSegments(
  client: MilvusClient,
  collection_name: string,
  { flushes, deletes = false }: SegmentsShape,
  onProgress: (text: string) => void = () => {},
): Promise<ManySegments> {
  await dropCollection(client, collection_name);
  await answered(
    `creating ${collection_name}`,
    client.createCollection({ collection_name, fields, shards_num: shards }),
  );
  const rowsPerFlush = shards * rowsPerSegment;
  for (let flush = 0; flush < flushes; flush += 1) {
    const data = Array.from({ length: rowsPerFlush }, (_, row) => rowOf(flush * rowsPerFlush + row));
    await answered("inserting", client.insert({ collection_name, data }));
    // Seals what there is and does not wait until it is written: the next rows go into new segments.
    await answered("flushing", client.flush({ collection_names: [collection_name] }));
    onProgress(`${(flush + 1) * shards} of ${flushes * shards} segments`);
  }
  await answered("flushing", client.flushSync({ collection_names: [collection_name] }));
  const deleted = deletes ? deletedIds(flushes, rowsPerFlush) : [];
  if (deleted.length > 0) {
    await answered("deleting", client.delete({ collection_name, filter: `id in [${deleted.join()}]` }));
    await answered("flushing", client.flushSync({ collection_names: [collection_name] }));
  }
  const segments = shards * flushes;
  const objects = segments * (fields.length + systemFields);
  return { rows: flushes * rowsPerFlush, segments, objects, deleted: deleted.length };
}

/** The first rows of every second flush. */
function deletedIds(flushes: number, rowsPerFlush: number): number[] {
  const some = Array.from({ length: Math.floor(flushes / 2) }, (_, index) => 2 * index * rowsPerFlush);
  return some.flatMap((first) => Array.from({ length: deletedPerFlush }, (_, row) => first + row));
}

/** A row of which every value follows from its ID. */
function rowOf(id: number) {
  return {
    id,
    title: `row ${id}`,
    [vectorField]: Array.from({ length: dimension }, (_, index) => Math.fround(Math.sin(id * dimension + index))),
  };
}
