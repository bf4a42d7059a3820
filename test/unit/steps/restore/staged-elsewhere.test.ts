import { beforeEach, describe, expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import type { RestoreInput } from "../../../../src/core/execution/messages.ts";
import { workPrefixes } from "../../../../src/core/execution/work-layout.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";
import { seedShop } from "../../../support/seed-shop.ts";

let world: PipelineWorld;

const restore = (name: string, rest: Partial<RestoreInput> = {}) =>
  runRestore(
    world.context(),
    { environment: "dr", backupName: "nightly", collections: ["books"], suffix: "_bak", ...rest },
    executionOf(name),
  );
const staged = (bucket: string) =>
  world
    .bucket(bucket)
    .keys("milvus-backup-staging/")
    .filter((key) => !key.startsWith("milvus-backup-staging/targets/"));

/** Registers another bucket for the Milvus of dr. */
function name(bucket: string): void {
  world.registerAnew("dr", { storage: { ...world.environment("dr").storage, bucket } });
}

/** A restore that staged into a bucket that Milvus does not read, and failed. */
beforeEach(async () => {
  world = new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup" },
    dr: { milvusAt: "bucket-c/files", backupAt: "bucket-b/backup" },
  });
  seedShop(world);
  await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
  name("bucket-wrong");
  world.milvus("dr").fail("submitImport", new PipelineError("ImportFailed", "no such file"), { times: 1 });
  await restore("restore-1").catch(() => undefined);
  expect(staged("bucket-wrong").length).toBeGreaterThan(0);
});

describe("a restore that staged files into another bucket than the one that is registered now", () => {
  test("is discarded with them", async () => {
    name("bucket-c");

    const result = await restore("discard-1", { discard: true });

    expect(result).toMatchObject({ outcome: "discarded" });
    expect(result).not.toHaveProperty("warnings");
    expect(staged("bucket-wrong")).toEqual([]);
    expect(world.work.keys(workPrefixes.restores)).toEqual([]);
  });

  test("goes on, and removes them at its end", async () => {
    name("bucket-c");

    expect(await restore("restore-2")).toMatchObject({ outcome: "restored", warnings: [] });
    expect([staged("bucket-wrong"), staged("bucket-c")]).toEqual([[], []]);
  });

  test("ends also where that bucket's store answers no more, and says where they are", async () => {
    name("bucket-c");
    const wrong = world.bucket("bucket-wrong");
    wrong.deletePrefix = () => Promise.reject(new PipelineError("StoreBusy", "bucket-wrong is busy"));

    expect(await restore("restore-2")).toMatchObject({
      outcome: "restored",
      warnings: [
        expect.stringMatching(/bucket bucket-wrong at .* \(bucket-wrong is busy\): remove them there yourself/),
      ],
    });
  });

  test.each([
    ["discard-1", { discard: true }, "discarded"],
    ["restore-2", {}, "restored"],
  ] as const)(
    "says where they are, where that registration is not kept any more (%s)",
    async (execution, rest, outcome) => {
      name("bucket-x");
      name("bucket-c");

      expect(await restore(execution, rest)).toMatchObject({
        outcome,
        warnings: [expect.stringMatching(/bucket bucket-wrong at \S+ below milvus-backup-staging\/\S+\/, where/)],
      });
    },
  );
});
