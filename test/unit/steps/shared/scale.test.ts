import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { batchLimits } from "../../../../src/core/execution/copy-plan.ts";
import { finalizeBackup } from "../../../../src/steps/backup/finalize-backup.ts";
import { prepareBackup } from "../../../../src/steps/backup/prepare-backup.ts";
import { prepareRestore } from "../../../../src/steps/restore/prepare-restore.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import type { MemorySegment } from "../../../support/memory-milvus/collection.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runRestore } from "../../../support/run-machines.ts";

const minutes = 60_000;
const segments = 100_000;
const partitions = 500;
const execution = executionOf("large");
const backupInput = { environment: "prod", backupName: "large" };

/** What a state may carry along: far below the 256 KiB of an execution's whole state. */
const smallPayload = 10 * 1024;

function bytesOf(payload: unknown): number {
  return Buffer.byteLength(JSON.stringify(payload));
}

const body = "ten bytes.";
const etag = createHash("md5").update(body).digest("hex");

/** Leaves for every batch the objects and the receipt that copying it would leave. */
function seedReceipts(world: PipelineWorld): void {
  for (const key of world.work.keys(`executions/backup/${execution.name}/batches/`)) {
    const batch = JSON.parse(world.work.read(key) ?? "null");
    const receipts = batch.segments.map(({ collectionId, partitionId, segmentId, prefixes }: Record<string, never>) => {
      const [insert] = prefixes as unknown as [{ from: string; to: string }];
      const logs = ["0/1", "1/1", "100/1", "101/1"].map((path) => ({
        from: insert.from + path,
        key: insert.to + path,
        size: body.length,
        etag,
      }));
      for (const { key } of logs) world.bucket("bucket-b").seed(key, body);
      return { collectionId, partitionId, segmentId, outcome: "copied", insertLogs: logs, deltaLogs: [] };
    });
    const objects = receipts.length * 4;
    const receipt = {
      batch: batch.batch,
      outcome: "copied",
      objects,
      bytes: objects * 10,
      skippedObjects: 0,
      segments: receipts,
    };
    world.work.seed(batch.receiptKey, JSON.stringify(receipt));
  }
}

test("100,000 segments in 500 partitions are planned, committed and planned back, and states carry small payloads only", {
  timeout: 5 * minutes,
}, async () => {
  const world = new PipelineWorld();
  const partitionId = (index: number) => `${470_000_000_000_000_000n + BigInt(index % partitions)}`;
  const listed = Array.from(
    { length: segments },
    (_, index): MemorySegment => ({
      id: `${480_000_000_000_000_000n + BigInt(index)}`,
      collectionId: "470000000000000100",
      partitionId: partitionId(index),
      rows: 1000n,
      state: "Flushed",
      isL0: false,
      storageVersion: "0",
    }),
  );
  world.milvus("prod").addCollection(collectionDescription("large"), {
    partitions: Array.from({ length: partitions }, (_, index) => ({ id: partitionId(index), name: `p${index}` })),
    segments: listed,
    loaded: true,
  });
  // Of its objects one, by which a backup sees that they lie there.
  world.bucket("bucket-a").seed("files/insert_log/470000000000000100/1/2/0/3", body);
  const context = world.context();
  const request = { execution, input: backupInput, attempt: 0 };

  const prepared = await prepareBackup(request, context);
  seedReceipts(world);
  const finalized = await finalizeBackup(request, context);
  const planned = await prepareRestore(
    { execution, input: { environment: "dr", backupName: "large" }, attempt: 0 },
    context,
  );

  expect(prepared).toMatchObject({ segments, batches: Math.ceil(segments / batchLimits.segments) });
  expect(finalized).toMatchObject({ outcome: "backed-up", segments, objects: 4 * segments });
  expect(planned).toMatchObject({ outcome: "planned", segments });
  for (const payload of [prepared, finalized, planned]) expect(bytesOf(payload)).toBeLessThan(smallPayload);
});

test("1,000 collections with long names restore with a bounded result, and the whole one lies in the work bucket", {
  timeout: minutes,
}, async () => {
  const world = new PipelineWorld();
  const names = Array.from({ length: 1000 }, (_, index) => `${"n".repeat(200)}${index}`);
  for (const [index, name] of names.entries()) {
    world
      .milvus("prod")
      .addCollection(collectionDescription(name, { id: `${index + 1}`, aliases: [`alias_${index}`] }), {
        partitions: [{ id: "1", name: "_default" }],
      });
    // every alias is taken already: a warning for each
    world
      .milvus("dr")
      .addCollection(collectionDescription(`other${index}`, { id: `9${index}`, aliases: [`alias_${index}`] }));
  }
  const context = world.context();
  await prepareBackup({ execution, input: backupInput, attempt: 0 }, context);
  await finalizeBackup({ execution, input: backupInput, attempt: 0 }, context);

  const result = await runRestore(context, { environment: "dr", backupName: "large" }, execution);

  expect(bytesOf(result)).toBeLessThan(128 * 1024);
  const whole = JSON.parse(world.work.read(`executions/restore/${execution.name}/result.json`) ?? "null");
  expect(whole.collections).toHaveLength(1000);
  expect(whole.warnings).toHaveLength(1000);
});
