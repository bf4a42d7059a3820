import { beforeEach, describe, expect, test } from "vitest";
import { PipelineError, transientErrorNames } from "../../../../src/core/execution/errors.ts";
import { prepareBackup } from "../../../../src/steps/backup/prepare-backup.ts";
import { prepareRestore } from "../../../../src/steps/restore/prepare-restore.ts";
import { outlasting } from "../../../../src/steps/shared/outlasting.ts";
import { prepareTransfer } from "../../../../src/steps/transfer/prepare-transfer.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup } from "../../../support/run-machines.ts";
import { seedShop } from "../../../support/seed-shop.ts";

type RestoreContext = ReturnType<PipelineWorld["context"]>;

const execution = executionOf("one");
const unreachable = (name: "StoreUnreachable" | "MilvusUnreachable") => new PipelineError(name, "no one listens");

const firstSteps: Record<string, (context: RestoreContext, attempt?: number) => Promise<unknown>> = {
  backup: (context, attempt = 0) =>
    outlasting("backup", prepareBackup)(
      { execution, input: { environment: "prod", backupName: "nightly" }, attempt },
      context,
    ),
  restore: (context, attempt = 0) =>
    outlasting("restore", prepareRestore)(
      { execution, input: { environment: "dr", backupName: "made", suffix: "_bak" }, attempt },
      context,
    ),
  transfer: (context, attempt = 0) =>
    outlasting("transfer", prepareTransfer)(
      { execution, input: { backupName: "made", from: "prod", to: "far" }, attempt },
      context,
    ),
};

let world: PipelineWorld;
beforeEach(async () => {
  world = new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup" },
    dr: { milvusAt: "bucket-b/files", backupAt: "bucket-b/backup" },
    far: { milvusAt: "bucket-c/files", backupAt: "bucket-c/backup" },
  });
  seedShop(world);
  await runBackup(world.context(), { environment: "prod", backupName: "made" }, executionOf("before"));
});

describe.each(Object.keys(firstSteps))("the first step of a %s", (machine) => {
  const prepare = (context: RestoreContext) => firstSteps[machine]?.(context);

  test("fails for good where a store does not answer on the first contact", async () => {
    world.bucket("bucket-b").failOn(
      () => true,
      () => unreachable("StoreUnreachable"),
    );

    await expect(prepare(world.context())).rejects.toMatchObject({ name: "StoreUnreachable" });
  });

  test("is tried again where the store has answered in this execution before", async () => {
    await prepare(world.context());
    world.bucket("bucket-b").failOn(
      () => true,
      () => unreachable("StoreUnreachable"),
      3,
    );

    const refused = await Promise.resolve(prepare(world.context())).catch((error: unknown) => error);
    expect(refused).toMatchObject({ name: "StoreBusy", message: expect.stringContaining("no one listens") });
    expect(transientErrorNames).toContain((refused as PipelineError).name);
  });

  test("fails for good with what an outage is not", async () => {
    await prepare(world.context());
    world.bucket("bucket-b").failOn(
      () => true,
      () => new PipelineError("StoreAccessDenied", "no"),
    );

    await expect(prepare(world.context())).rejects.toMatchObject({ name: "StoreAccessDenied" });
  });

  test("tells the fault as it is where the work bucket does not answer either", async () => {
    await prepare(world.context());
    const broken = () => unreachable("StoreUnreachable");
    world.work.failOn(() => true, broken, Number.POSITIVE_INFINITY);
    world.bucket("bucket-b").failOn(() => true, broken, Number.POSITIVE_INFINITY);

    await expect(prepare(world.context())).rejects.toMatchObject({ name: "StoreUnreachable" });
  });
});

test.each(["backup", "restore"])(
  "a Milvus that restarts during a %s is waited for in its first step too",
  async (machine) => {
    let isUp = false;
    const context: RestoreContext = {
      ...world.context(),
      connectMilvus: async ({ name }) => {
        if (!isUp) throw unreachable("MilvusUnreachable");
        return world.milvus(name);
      },
    };
    const prepare = (attempt = 0) => firstSteps[machine]?.(context, attempt);
    await expect(prepare()).rejects.toMatchObject({ name: "MilvusUnreachable" });
    isUp = true;
    await prepare();
    isUp = false;

    await expect(prepare()).rejects.toMatchObject({ name: "MilvusBusy" });
    await expect(prepare(1)).rejects.toMatchObject({ name: "MilvusBusy" });
  },
);

test("a backup that plans again knows that everything has answered", async () => {
  world.bucket("bucket-a").failOn(
    () => true,
    () => unreachable("StoreUnreachable"),
  );

  await expect(firstSteps.backup?.(world.context(), 1)).rejects.toMatchObject({ name: "StoreBusy" });
});
