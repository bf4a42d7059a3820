import { beforeEach, describe, expect, test } from "vitest";
import type {
  FinishRestoreResult,
  PrepareRestoreResult,
  RestoreInput,
} from "../../../../src/core/execution/messages.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { ExecutionFailed, executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";
import { addBookSegment, seedShop } from "../../../support/seed-shop.ts";
import { heldTargets, leaseOn } from "../../../support/targets.ts";

const target = { database: "default", collection: "books_bak" };
const triggered: RestoreInput = {
  environment: "dr",
  backupName: "older",
  collections: ["books"],
  suffix: "_bak",
  dropExisting: true,
  trigger: "standby",
};
let world: PipelineWorld;

beforeEach(async () => {
  world = new PipelineWorld();
  seedShop(world);
  await runBackup(world.context(), { environment: "prod", backupName: "older" });
  await world.memory.clock.sleep(60_000);
  addBookSegment(world, "470000000000000398");
  await runBackup(world.context(), { environment: "prod", backupName: "newer" }, executionOf("backup-2"));
});

function restore(name: string, rest: Partial<RestoreInput> = {}, after?: (step: string) => void | Promise<void>) {
  return runRestore(world.context(), { ...triggered, ...rest }, executionOf(name), after ? { after } : {});
}
const rows = () => world.milvus("dr").rowCount(target);

describe("a trigger", () => {
  test("skips a backup that is older than what was restored last, and says so", async () => {
    await restore("one", { backupName: "newer" });

    const result = (await restore("two")) as PrepareRestoreResult;

    expect(result).toMatchObject({
      outcome: "skipped",
      backupName: "older",
      batches: 0,
      warnings: [
        expect.stringMatching(
          /^default\.books_bak: backup newer, which is no older than this one, was restored there last/,
        ),
      ],
    });
    expect(await rows()).toBe(36n);
    expect(heldTargets(world.bucket("bucket-b"))).toEqual([]);
    expect(world.work.keys("readers/")).toEqual([]);
    expect(world.work.keys("restores/")).toEqual([]);
  });

  test("skips it also when the newer one was restored by hand", async () => {
    const { trigger: _, ...byHand } = triggered;
    await runRestore(world.context(), { ...byHand, backupName: "newer" }, executionOf("one"));

    expect(await restore("two")).toMatchObject({ outcome: "skipped" });
  });

  test("restores a newer one over an older one, and the same one only once", async () => {
    await restore("one");
    expect(await rows()).toBe(32n);

    expect(await restore("two", { backupName: "newer" })).toMatchObject({ outcome: "restored" });
    expect(await restore("three", { backupName: "newer" })).toMatchObject({ outcome: "skipped" });
    expect(await rows()).toBe(36n);
  });

  test("restores an older one where what was restored last is gone", async () => {
    await restore("one", { backupName: "newer" });
    await world.milvus("dr").dropCollection(target);

    expect(await restore("two")).toMatchObject({ outcome: "restored" });
    expect(await rows()).toBe(32n);
  });

  test("skips an older one also where the newer restore failed when it was in place", async () => {
    world.milvus("dr").fail("load", new Error("no memory"), { times: 1 });
    await expect(restore("one", { backupName: "newer" })).rejects.toBeInstanceOf(ExecutionFailed);

    expect(await restore("two")).toMatchObject({ outcome: "skipped" });
  });
});

describe("a restore by hand", () => {
  test("brings an older backup when asked for it, which is then the last one", async () => {
    await restore("one", { backupName: "newer" });
    const { trigger: _, ...byHand } = triggered;

    const result = (await runRestore(world.context(), byHand, executionOf("two"))) as FinishRestoreResult;

    expect(result.outcome).toBe("restored");
    expect(await rows()).toBe(32n);
    expect(leaseOn(world.bucket("bucket-b"), "default.books_bak")).toMatchObject({
      state: "free",
      restored: { backupName: "older", collectionId: result.collections[0]?.id },
    });
  });
});

describe("two restores into one target", () => {
  test("of two backups: the second is refused before it does anything, and the first goes on", async () => {
    let seen: unknown;
    world.memory.running.add(executionOf("one").id);

    await restore("one", {}, async (step) => {
      if (step !== "prepare") return;
      const calls = world.milvus("dr").calls.length;
      seen = await restore("two", { backupName: "newer" }).catch((error: unknown) => error);
      expect(world.milvus("dr").calls.slice(calls).join()).not.toMatch(/create|drop|rename|submitImport/);
    });

    expect(seen).toMatchObject({ name: "AlreadyRunning", message: expect.stringContaining("restore execution one") });
    expect(await rows()).toBe(32n);
  });

  test("an execution that lost its target replaces nothing", async () => {
    await restore("before", { backupName: "newer" });
    const lost = restore("one", { trigger: undefined } as Partial<RestoreInput>, (step) => {
      if (step !== "import") return;
      const bucket = world.bucket("bucket-b");
      const [key = ""] = heldTargets(bucket).filter((one) => one.endsWith("default.books_bak.json"));
      bucket.seed(key, (bucket.read(key) ?? "").replaceAll(":one", ":somebody-else"));
    });

    await expect(lost).rejects.toMatchObject({
      name: "ClaimLost",
      message: expect.stringContaining("somebody-else has it (restoring)"),
    });
    expect(await rows()).toBe(36n);
  });

  test("an execution that lost one of several targets while it counted their rows gives none of them its name", async () => {
    const { collections: _, trigger: __, ...all } = triggered;
    const milvus = world.milvus("dr");
    const bucket = world.bucket("bucket-b");
    const count = milvus.rowCount.bind(milvus);
    const lose = () => {
      const [key = ""] = heldTargets(bucket).filter((one) => one.endsWith("shop.carts_bak.json"));
      bucket.seed(key, (bucket.read(key) ?? "").replaceAll(":one", ":somebody-else"));
    };

    const lost = runRestore(world.context(), all, executionOf("one"), {
      after: (step) => {
        if (step !== "import") return;
        milvus.rowCount = async (name) => {
          lose();
          return count(name);
        };
      },
    });

    await expect(lost).rejects.toMatchObject({ name: "ClaimLost" });
    expect(await milvus.hasCollection(target)).toBe(false);
  });

  test("an import goes into the very collection that the restore made, or nowhere", async () => {
    const milvus = world.milvus("dr");
    const failed = restore("one", {}, async (step) => {
      if (step !== "recreate") return;
      const [working = ""] = (await milvus.listCollections("default")).filter((name) => name.includes("_restoring_"));
      const name = { database: "default", collection: working };
      const described = await milvus.describeCollection(name);
      await milvus.dropCollection(name);
      milvus.addCollection({ ...described, id: "99" }, { partitions: [{ id: "1", name: "_default" }] });
    });

    await expect(failed).rejects.toMatchObject({
      name: "ImportFailed",
      message: expect.stringContaining("is not the collection that the restore made"),
    });
    expect(milvus.calls.filter((call) => call.startsWith("submitImport"))).toEqual([]);
  });
});
