import { expect, test } from "vitest";
import { parseCollectionSelector } from "../../../../src/core/milvus/names.ts";
import { estimateBackup } from "../../../../src/steps/backup/estimate-backup.ts";
import { FaultInjector } from "../../../support/fault-injector.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { runBackup } from "../../../support/run-machines.ts";
import { seedShop } from "../../../support/seed-shop.ts";

function shop() {
  const world = new PipelineWorld();
  seedShop(world);
  return world;
}

/** What is asked of Milvus and its bucket to tell it. */
async function estimated(world: PipelineWorld, selectors: readonly string[] = [], settings = {}) {
  const calls = new FaultInjector();
  const environment = { ...world.environment("prod"), ...settings };
  const estimate = await estimateBackup(environment, selectors.map(parseCollectionSelector), {
    milvus: calls.wrap("milvus", world.milvus("prod")),
    store: calls.wrap("store", world.bucket("bucket-a")),
  });
  return { estimate, calls: calls.calls };
}

test("is what a backup without a flush then copies, and nothing is flushed or written to tell it", async () => {
  const world = shop();
  const { estimate, calls } = await estimated(world);
  const made = await runBackup(world.context(), { environment: "prod", backupName: "b", strategy: "skip_flush" });

  expect(estimate).toMatchObject({
    segments: made.segments,
    objects: made.objects,
    bytes: made.bytes,
    streamed: false,
  });
  expect(estimate.collections).toMatchObject([
    { collection: "default.books", segments: 2, rows: 30n, unflushedRows: 5n },
    { collection: "shop.carts", segments: 0, objects: 0, rows: 0n, unflushedRows: 0n },
  ]);
  expect(calls.filter((call) => !/\.(list|describe|version)/.test(call))).toEqual([]);
});

test("is of the collections that are named, and a name that is none is told", async () => {
  const world = shop();

  expect((await estimated(world, ["shop.carts"])).estimate).toMatchObject({ objects: 0, dollarsAMonth: 0 });
  await expect(estimated(world, ["nowhere"])).rejects.toThrow("there is no collection default.nowhere");
  await expect(estimated(world, ["nowhere.*"])).rejects.toThrow(
    /there is no collection nowhere\.\* in Milvus at .* \(databases: default, shop\)/,
  );
});

test("streams where the stores do not copy", async () => {
  const world = shop();
  const { estimate } = await estimated(world, [], { copyMode: "streamed" });

  expect(estimate.streamed).toBe(true);
});

test("a bucket in which the rows do not lie is told, and not taken for an empty backup", async () => {
  const world = shop();
  const { storage } = world.environment("prod");

  await expect(estimated(world, [], { storage: { ...storage, rootPath: "other" } })).rejects.toThrow(
    /30 flushed rows of default\.books, and nothing lies below other\/insert_log\/.*minio\.rootPath/,
  );
});
