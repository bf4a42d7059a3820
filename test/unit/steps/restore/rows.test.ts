import { beforeEach, describe, expect, test } from "vitest";
import { hybridTimestamp } from "../../../../src/core/milvus/instant.ts";
import { lookAtLogs } from "../../../../src/steps/restore/look-at-logs.ts";
import { StoredBackup } from "../../../../src/steps/shared/stored-backup.ts";
import { printLogHead } from "../../../support/log-head.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";
import { outlineOf } from "../../../support/outlines.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";
import { books, seedShop } from "../../../support/seed-shop.ts";
import { collectionRecord, segmentRecord } from "../../../support/segment-records.ts";

/** Sealed by the flush of the backup. */
const growing = { collectionId: books.id, partitionId: books.novels, id: books.segments[2], rows: 5n };
const withDeletes = { collectionId: books.id, partitionId: books.novels, id: books.segments[1], rows: 20n };
const timestamps = `files/insert_log/${books.id}/${books.novels}/${growing.id}/1/1${growing.id}`;
const deletes = `files/delta_log/${books.id}/${books.novels}/${withDeletes.id}/2${withDeletes.id}`;

let world: PipelineWorld;

/** A hybrid timestamp, so many seconds after the world's now. */
function at(seconds: number): bigint {
  return BigInt(hybridTimestamp(BigInt(world.memory.clock.now().getTime() + 1000 * seconds)));
}

/** Leaves nothing in its partition that could make up for it. */
async function onlyGrowing(): Promise<void> {
  const prod = world.milvus("prod");
  const name = { database: "default", collection: "books" };
  const segments = await prod.listSegments(name);
  prod.setSegments(
    name,
    segments.filter(({ id }) => id === books.segments[0]),
  );
}

async function backUp(): Promise<void> {
  await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
}

function restore(suffix = "_bak") {
  const input = { environment: "dr", backupName: "nightly", collections: ["books"], suffix };
  return runRestore(world.context(), input, executionOf(`restore${suffix}`));
}

beforeEach(() => {
  world = new PipelineWorld();
  seedShop(world);
});

describe("rows that the flush of the backup sealed", () => {
  test("must all come where their logs say that they were there before", async () => {
    world.bucket("bucket-a").seed(timestamps, printLogHead({ from: at(-9), to: at(-5), originalSize: 40 }));
    await onlyGrowing();
    await backUp();
    world.seedSegment("dr", { ...growing, rows: 4n });

    await expect(restore()).rejects.toMatchObject({ name: "RowCountMismatch" });
  });

  test("may be fewer where the last of them are later, but not none", async () => {
    world.bucket("bucket-a").seed(timestamps, printLogHead({ from: at(-9), to: at(5), originalSize: 40 }));
    await onlyGrowing();
    await backUp();
    world.seedSegment("dr", { ...growing, rows: 1n });
    await expect(restore("_one")).resolves.toMatchObject({ outcome: "restored" });

    world.seedSegment("dr", { ...growing, rows: 0n });
    await expect(restore("_none")).rejects.toMatchObject({ name: "RowCountMismatch" });
  });

  test("may be none where their logs do not tell", async () => {
    await onlyGrowing();
    await backUp();
    world.seedSegment("dr", { ...growing, rows: 0n });

    await expect(restore()).resolves.toMatchObject({ outcome: "restored" });
  });
});

describe("deletes", () => {
  test("of which the log tells how many there are explain no more than that", async () => {
    world.bucket("bucket-a").seed(deletes, printLogHead({ from: at(-9), to: at(-5), originalSize: 3 * 8 }));
    await backUp();
    world.seedSegment("dr", { ...withDeletes, rows: 2n });

    await expect(restore()).rejects.toMatchObject({
      name: "RowCountMismatch",
      message: expect.stringContaining("brought 7 rows, which must be 17 to 25"),
    });
  });
});

test("of thousands of segments no more are looked at than seconds allow, the largest ones first", async () => {
  const segments = Array.from({ length: 5_000 }, (_, index) => segmentRecord(1 + index, { rows: 1 + index }));
  const store = new MemoryObjectStore();
  const laterRows = new Set(segments.map(({ segment_id }) => segment_id.toString()));
  const instant = { timestamp: at(0).toString(), time: "2026-11-23T00:00:00.000Z" };

  await lookAtLogs(
    new StoredBackup(store, { rootPath: "backup" }, "nightly"),
    [outlineOf(collectionRecord(segments))],
    () => ({ instant, laterRows }),
  );

  const looks = store.calls.filter((call) => call.startsWith("list "));
  expect(looks.length).toBeLessThanOrEqual(4_000);
  expect(looks[0]).toBe("list backup/nightly/binlogs/insert_log/100/200/5000/5000/1/");
});
