import { collectionDescription } from "../collection-description.ts";
import { drillWorld, seedRows } from "../drill-world.ts";
import { seedGolden } from "../golden-backup.ts";
import type { MemorySegment } from "../memory-milvus/collection.ts";
import { field, int64 } from "../milvus-fields.ts";
import type { PipelineWorld } from "../pipeline-world.ts";
import { seedRows as seedBackup } from "../row-backup.ts";

const books = "470000000000000100";
const small = "470000000000000800";
/** An upload of it has more than one part. */
const moreThanOnePart = "x".repeat(9 * 2 ** 20);
const { fields } = collectionDescription("large").schema;
const many = { id: "470000000000000500", partition: "470000000000000501" };

/** Milvus's stand-ins: `books` with rows, `many` whose small segments are put together, `small` whose
 * partitions are inserted, and `large` whose metas go out in parts, as the manifest of its export does. Backups without manifests lie there already. */
export function milvusWorld(): PipelineWorld {
  const world = drillWorld({
    // Prepare Backup looks whether its rows lie in others.
    clustered: true,
    environments: {
      prod: { milvusAt: "milvus-of-prod/files", backupAt: "backups-of-prod/backup" },
      dr: { milvusAt: "milvus-of-dr/files", backupAt: "backups-of-dr/backup" },
    },
  });
  const milvus = world.milvus("prod");
  milvus.addCollection(collectionDescription("many", { id: many.id }), {
    partitions: [{ id: many.partition, name: "_default" }],
    segments: Array.from({ length: 8 }, (_, index) =>
      seeded(world, { collectionId: many.id, partitionId: many.partition, id: `47000000000000060${index}`, rows: 5n }),
    ),
  });
  const partitions = [0, 1, 2, 3].map((index) => ({ id: `47000000000000081${index}`, name: `p${index}` }));
  const segments = partitions.map(({ id }, index) =>
    seedRows(world, { collectionId: small, partitionId: id, id: `47000000000000082${index}` }, 300 + 100 * index),
  );
  milvus.addCollection(collectionDescription("small", { id: small }), { partitions, segments });
  milvus.addCollection(
    collectionDescription("large", {
      id: "470000000000000900",
      schema: { fields: [...fields, field(moreThanOnePart, int64, { fieldId: "102" })] },
    }),
  );
  const backups = world.bucket("backups-of-prod");
  for (const name of ["golden", "golden_goes", "golden_by_role"]) seedGolden(backups, name);
  seedBackup(backups, "texts", { segments: [{ id: 300, batches: [[{ id: 1, text: moreThanOnePart, at: 1 }]] }] });
  seedBackup(backups, "rows", { segments: [{ id: 300, batches: [[{ id: 1, at: 1 }]], deletes: [[2, 2]] }] });
  return world;
}

/** Compaction puts one segment in the place of another of `books`, whose logs garbage collection takes away. @returns where they lay */
export async function compactOne(world: PipelineWorld): Promise<{ gone: string; keys: readonly string[] }> {
  const milvus = world.milvus("prod");
  const name = { database: "default", collection: "books" };
  const [first, ...others] = await milvus.listSegments(name);
  if (first === undefined) throw new Error("books has no segments");
  const { partitionId, rows } = first;
  const next = seeded(world, { collectionId: books, partitionId, id: String(BigInt(first.id) + 100n), rows });
  milvus.setSegments(name, [...others, next]);
  world.collectSegment("prod", books, first.id);
  const below = `files/insert_log/${books}/${partitionId}`;
  const keys = world.bucket("milvus-of-prod").keys(`${below}/${next.id}/`);
  return { gone: `${below}/${first.id}/`, keys };
}

function seeded(
  world: PipelineWorld,
  segment: { collectionId: string; partitionId: string; id: string; rows: bigint },
): MemorySegment {
  world.seedSegment("prod", segment);
  return { ...segment, state: "Flushed", isL0: false, storageVersion: "0" };
}
