import { beforeEach, expect, test } from "vitest";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";
import { seedShop } from "../../../support/seed-shop.ts";
import { heldTargets, stagedKeys } from "../../../support/targets.ts";

const input = { environment: "dr", backupName: "nightly", suffix: "_bak" };
const { binlogs } = backupLayout("backup", "nightly");
let world: PipelineWorld;

beforeEach(async () => {
  world = new PipelineWorld();
  seedShop(world);
  await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
});

const bucket = () => world.bucket("bucket-b");
const touched = () => world.milvus("dr").calls.filter((call) => /create|drop|rename|submitImport|load /.test(call));

test("logs in an archive are told before anything is held, staged or made", async () => {
  for (const key of bucket().keys(binlogs)) bucket().archive(key);

  await expect(runRestore(world.context(), input)).rejects.toMatchObject({ name: "ObjectArchived" });

  expect(touched()).toEqual([]);
  expect(stagedKeys(bucket())).toEqual([]);
  expect(heldTargets(bucket())).toEqual([]);
});

test("one that lies behind others is told when it is copied, and nothing is made in Milvus", async () => {
  bucket().archive(bucket().keys(binlogs).at(-1) ?? "");

  await expect(runRestore(world.context(), input)).rejects.toMatchObject({ name: "ObjectArchived" });

  expect(touched()).toEqual([]);
});

test("once restored out of the archive, the same command goes on", async () => {
  for (const key of bucket().keys(binlogs)) bucket().archive(key);
  await runRestore(world.context(), input).catch(() => undefined);
  for (const key of bucket().keys(binlogs)) bucket().archive(key, "restored");

  expect(await runRestore(world.context(), input, executionOf("restore-2"))).toMatchObject({ outcome: "restored" });
});

test("metadata alone is restored all the same", async () => {
  for (const key of bucket().keys(binlogs)) bucket().archive(key);

  expect(await runRestore(world.context(), { ...input, metadataOnly: true })).toMatchObject({ outcome: "restored" });
});
