import { expect, test } from "vitest";
import type { FinishRestoreResult, RestoreInput } from "../../../../src/core/execution/messages.ts";
import { aroundCalls } from "../../../support/around-calls.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";
import { seedShop } from "../../../support/seed-shop.ts";

const target = { database: "default", collection: "books_bak" };
const input: RestoreInput = {
  environment: "dr",
  backupName: "nightly",
  collections: ["books"],
  suffix: "_bak",
  indexes: false,
};

test("the Lambda of an execution that was stopped submits nothing more once the same restore runs again", async () => {
  const world = new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup" },
    dr: { milvusAt: "bucket-b/files", backupAt: "bucket-b/backup", milvus: { version: "2.4.15" } },
  });
  seedShop(world);
  await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
  const milvus = world.milvus("dr");
  await runRestore(world.context(), { ...input, metadataOnly: true }, executionOf("zero"));
  expect(await milvus.rowCount(target)).toBe(0n);

  // `one` was stopped (it is over), its Lambda goes on: StopExecution does not end it. `two` is the same restore.
  const into: RestoreInput = { ...input, skipCreate: true, indexes: true };
  let two: FinishRestoreResult | undefined;
  let begun = false;
  await runRestore(
    aroundCalls(world.context(), async (call, _, make) => {
      const answer = await make();
      if (call === "submitImport" && !begun) {
        begun = true;
        two = (await runRestore(world.context(), into, executionOf("two"))) as FinishRestoreResult;
      }
      return answer;
    }),
    into,
    executionOf("one"),
    {
      // it is over: no step follows the one that runs
      after: (step) => {
        if (step === "import") throw new Error("stopped");
      },
    },
  ).catch(() => undefined);

  expect(two).toMatchObject({ outcome: "restored" });
  await milvus.listImports(target);
  await milvus.listImports(target);
  await milvus.listImports(target);
  expect(await milvus.rowCount(target)).toBe(32n);
});
