import { expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { deleteBackup } from "../../../../src/steps/catalog/delete-backup.ts";
import { outlineBackup } from "../../../../src/steps/catalog/get-backup.ts";
import { listBackups } from "../../../../src/steps/catalog/list-backups.ts";
import { findBackup } from "../../../../src/steps/shared/find-backup.ts";
import { sweepSegments } from "../../../../src/steps/shared/sweep-segments.ts";
import { FaultInjector } from "../../../support/fault-injector.ts";
import { backUpLocked, day, inThirtyDays, layoutOf, lockingWorld } from "../../../support/locking-world.ts";
import type { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup } from "../../../support/run-machines.ts";

const deployment = "arn:aws:states:us-east-1:000000000000:stateMachine:machine";
const place = { rootPath: "backup", address: "127.0.0.1", port: 4566, bucket: "bucket-b" };
const request = { place, holder: "delete", deployment, incomplete: true };
const plain = { environment: "prod", backupName: "nightly" };

async function remove(world: PipelineWorld, name: string, faults?: FaultInjector) {
  const context = world.context(faults);
  const store = await context.openStore({ environment: "prod", side: "backup" });
  return deleteBackup(await findBackup(store, place, name), request, context);
}

const sweep = (world: PipelineWorld, dryRun = false) =>
  sweepSegments(world.bucket("bucket-b"), place, { holder: "sweep", deployment, dryRun }, world.context());

const later = (world: PipelineWorld, days: number) => world.memory.clock.sleep(days * day);

test("a locked backup is not deleted, not even hidden, and goes when its time is over", async () => {
  const world = lockingWorld();
  await backUpLocked(world, "nightly");
  const bucket = world.bucket("bucket-b");
  const before = bucket.keys();
  const faults = new FaultInjector();

  await expect(remove(world, "nightly", faults)).rejects.toMatchObject({
    name: "BackupLocked",
    message: expect.stringContaining("is locked until 2026-12-21 11:04 UTC (governance): nothing was deleted"),
  });
  expect(faults.calls.filter((call) => /bucket-b\.(put|delete)/.test(call))).toEqual([]);
  expect(bucket.keys()).toEqual(before);

  await later(world, 31);
  expect((await remove(world, "nightly")).objects).toBe(before.length);
  expect(bucket.keys()).toEqual([]);
});

test("what a bucket locks by itself is locked too, and a claim that it locks can be given back and taken again", async () => {
  const world = lockingWorld({ mode: "governance", until: inThirtyDays });
  await runBackup(world.context(), plain);
  expect(world.bucket("bucket-b").read(layoutOf("nightly").claim)).toBeUndefined();

  await expect(remove(world, "nightly")).rejects.toMatchObject({ name: "BackupLocked" });
  await later(world, 31);
  await expect(remove(world, "nightly")).resolves.toMatchObject({ objects: expect.any(Number) });
  await runBackup(world.context(), plain, executionOf("again"));
  expect(world.bucket("bucket-b").keys()).toContain(layoutOf("nightly").meta.full_meta);
});

test("what a failed backup left is not hidden while anything of it is locked, nor what somebody hid the commit record of", async () => {
  const world = lockingWorld();
  await backUpLocked(world, "nightly");
  const bucket = world.bucket("bucket-b");
  await bucket.deleteKeys([layoutOf("nightly").meta.full_meta]);
  const before = bucket.keys();

  await expect(remove(world, "nightly")).rejects.toMatchObject({
    name: "BackupLocked",
    message: expect.stringContaining("what is left of backup nightly"),
  });
  expect(bucket.keys()).toEqual(before);
});

test("where the lock may not be asked, the manifest says it; what it says of no lock lets a backup go", async () => {
  const world = lockingWorld();
  await backUpLocked(world, "nightly");
  await runBackup(world.context(), { ...plain, backupName: "free" });
  const denied = () => new PipelineError("StoreAccessDenied", "s3:GetObjectRetention");
  const bucket = world.bucket("bucket-b");
  bucket.failOn((call) => call.startsWith("lockOf") || call === "bucketLock", denied, 99);

  await expect(remove(world, "nightly")).rejects.toMatchObject({ name: "BackupLocked" });
  await expect(remove(world, "free")).resolves.toMatchObject({ objects: expect.any(Number) });
});

test("a store that does not understand what is asked of locks keeps no backup from deletion", async () => {
  const world = lockingWorld();
  await runBackup(world.context(), plain);
  const unknown = () => new PipelineError("StoreFailed", "InvalidArgument");
  world.bucket("bucket-b").failOn((call) => call.startsWith("lockOf") || call === "bucketLock", unknown, 99);

  await expect(remove(world, "nightly")).resolves.toMatchObject({ objects: expect.any(Number) });
});

test("list and get tell until when; afterwards they tell nothing of it", async () => {
  const world = lockingWorld();
  await backUpLocked(world, "nightly", { mode: "compliance" });
  await runBackup(world.context(), { ...plain, backupName: "free" });
  const bucket = world.bucket("bucket-b");
  const lock = { mode: "compliance", until: inThirtyDays };
  const look = async () => {
    const now = world.memory.clock.now();
    const listed = await listBackups(bucket, "backup", { now });
    return {
      listed: listed.map((one) => one.lock),
      got: (await outlineBackup(bucket, "backup", "nightly", { now })).lock,
    };
  };

  expect(await look()).toEqual({ listed: [undefined, lock], got: lock });
  await later(world, 31);
  expect(await look()).toEqual({ listed: [undefined, undefined], got: undefined });
});

test("a sweep leaves what is locked and says until when, also where the only backup that named it was hidden", async () => {
  const world = lockingWorld();
  await backUpLocked(world, "night_1", { incremental: true });
  const bucket = world.bucket("bucket-b");
  const hidden = bucket.keys("backup/night_1/");
  await bucket.deleteKeys(hidden);
  const segments = bucket.keys("backup/milvus-backup-segments/");

  for (const dryRun of [true, false]) {
    expect(await sweep(world, dryRun)).toMatchObject([
      { segments: 0, objects: 0, locked: { objects: 12, until: inThirtyDays } },
    ]);
  }
  expect(bucket.keys("backup/milvus-backup-segments/")).toEqual(segments);

  await later(world, 31);
  const [swept] = await sweep(world);
  expect(swept).toMatchObject({ segments: 3, objects: 12 });
  expect(swept?.locked).toBeUndefined();
  expect(bucket.keys("backup/milvus-backup-segments/")).toEqual([]);
});

test("in a bucket without Object Lock a sweep asks for no object's lock", async () => {
  const world = lockingWorld();
  const { backupStorage } = world.environment("prod");
  world.registerAnew("prod", { backupStorage: { ...backupStorage, bucket: "bucket-c" } });
  await runBackup(world.context(), { ...plain, incremental: true });
  const bucket = world.bucket("bucket-c");
  await bucket.deletePrefix("backup/nightly/");

  const swept = await sweepSegments(bucket, place, { holder: "sweep", deployment }, world.context());

  expect(swept).toMatchObject([{ segments: 3 }]);
  expect(bucket.calls.filter((call) => call.startsWith("lockOf"))).toEqual([]);
});
