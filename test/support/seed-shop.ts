import { collectionDescription } from "./collection-description.ts";
import type { MemorySegment } from "./memory-milvus/collection.ts";
import type { PipelineWorld } from "./pipeline-world.ts";

export const books = {
  id: "470000000000000100",
  defaultPartition: "470000000000000200",
  novels: "470000000000000201",
  segments: ["470000000000000301", "470000000000000302", "470000000000000303"],
} as const;

const name = { database: "default", collection: "books" };

/**
 * A Milvus with two collections: `books` with two partitions (one loaded), an index, an alias, three segments (one of them growing
 * until a flush, one with deletes: 35 rows, 32 without the deleted ones), and the empty `shop.carts`.
 */
export function seedShop(world: PipelineWorld, environment = "prod"): void {
  const milvus = world.milvus(environment);
  milvus.addCollection(
    collectionDescription("books", {
      id: books.id,
      aliases: ["library"],
      properties: [{ key: "collection.mmap.enabled", value: "true" }],
    }),
    {
      partitions: [
        { id: books.defaultPartition, name: "_default" },
        { id: books.novels, name: "novels" },
      ],
      segments: [bookSegment(world, 0, 10n), bookSegment(world, 1, 20n, 3n)],
      growing: [{ ...bookSegment(world, 2, 5n), state: "Growing" }],
      indexes: [{ id: "470000000000000400", fieldName: "vec", indexName: "vec_idx", params: hnsw }],
      loaded: ["novels"],
    },
  );
  milvus.addCollection(collectionDescription("carts", { database: "shop", id: "470000000000000110" }), {
    partitions: [{ id: "470000000000000210", name: "_default" }],
  });
}

export const hnsw = { index_type: "HNSW", metric_type: "L2", params: '{"M":16,"efConstruction":200}' };

function bookSegment(world: PipelineWorld, index: 0 | 1 | 2, rows: bigint, deletes = 0n): MemorySegment {
  const id = books.segments[index];
  const partitionId = index === 0 ? books.defaultPartition : books.novels;
  world.seedSegment("prod", { collectionId: books.id, partitionId, id, rows, deletes });
  return { id, collectionId: books.id, partitionId, rows, state: "Flushed", isL0: false, storageVersion: "0" };
}

/** Rows that an application wrote and that are flushed: one more segment of `books`, in `novels`. */
export function addBookSegment(world: PipelineWorld, id: string): void {
  const segment = { id, collectionId: books.id, partitionId: books.novels, rows: 4n };
  world.seedSegment("prod", segment);
  world.milvus("prod").addSegment(name, { ...segment, state: "Flushed", isL0: false, storageVersion: "0" });
}

/** What compaction makes of the segments of `books`: one for each partition; the old ones are collected. */
export function compactBooks(world: PipelineWorld): void {
  const compacted: MemorySegment[] = [
    { id: "470000000000000310", partitionId: books.defaultPartition, rows: 10n },
    { id: "470000000000000311", partitionId: books.novels, rows: 22n },
  ].map((segment) => {
    world.seedSegment("prod", { collectionId: books.id, ...segment });
    return { ...segment, collectionId: books.id, state: "Flushed", isL0: false, storageVersion: "0" };
  });
  world.milvus("prod").setSegments(name, compacted);
  for (const id of books.segments) world.collectSegment("prod", books.id, id);
}
