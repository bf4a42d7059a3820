import { beforeEach, expect, test } from "vitest";
import type { FinishRestoreResult, RestoreInput } from "../../../../src/core/execution/messages.ts";
import { finishRestore } from "../../../../src/steps/restore/finish-restore.ts";
import { aroundCalls } from "../../../support/around-calls.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";
import { seedShop } from "../../../support/seed-shop.ts";

const target = { database: "default", collection: "books_bak" };
const oldId = "7000000000000009";
const aside = { database: "default", collection: `books_bak_replaced_${oldId}` };
const input: RestoreInput = {
  environment: "dr",
  backupName: "nightly",
  collections: ["books"],
  suffix: "_bak",
  dropExisting: true,
};
const row = { collectionId: "5", partitionId: "6", state: "Flushed", isL0: false, storageVersion: "0" } as const;
let world: PipelineWorld;

beforeEach(async () => {
  world = new PipelineWorld();
  seedShop(world);
  await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
  world.milvus("dr").addCollection(collectionDescription("books_bak", { id: oldId, aliases: ["reading"] }), {
    segments: [{ ...row, id: `${oldId}1`, rows: 7n }],
  });
});

test("a last step that is tried again after it gave its targets back leaves alone what another execution of the same restore has", async () => {
  const context = world.context();
  await runRestore(context, input, executionOf("one"));
  // Lambda.Unknown: its answer was lost, the machine tries it again; meanwhile somebody has started the same restore again.
  const second = runRestore(context, input, executionOf("two"), {
    after: async (step) => {
      if (step !== "recreate") return;
      expect(world.work.keys("restores/")).not.toEqual([]);
      await finishRestore({ execution: executionOf("one"), input, attempt: 0 }, context);
      expect(world.work.keys("restores/")).not.toEqual([]);
    },
  });
  await expect(second).resolves.toMatchObject({ outcome: "restored" });
});

test("one that got an alias right before it was to be dropped is kept, also in the next round of loading", async () => {
  const milvus = world.milvus("dr");
  let held = true;
  milvus.holdLoads(() => held);
  let given = false;
  const rounds: string[][] = [];
  const result = (await runRestore(
    aroundCalls(world.context(), async (call, _, make) => {
      const answer = await make();
      if (call === "alterAlias" && !given) {
        given = true;
        await milvus.createAlias(aside, "precious");
      }
      return answer;
    }),
    input,
    executionOf("one"),
    {
      after: async (step) => {
        if (step !== "finish") return;
        rounds.push((await milvus.listCollections("default")).sort());
        held = false;
      },
    },
  )) as FinishRestoreResult;

  expect(given).toBe(true);
  expect(rounds.length).toBeGreaterThan(1);
  expect(rounds[0]).toContain(aside.collection);
  expect(rounds.at(-1)).toContain(aside.collection);
  expect(result.warnings.join()).toContain("precious");
});

test("a kept one keeps the alias that it gets while the new one loads", async () => {
  const milvus = world.milvus("dr");
  let held = true;
  milvus.holdLoads(() => held);
  let rounds = 0;
  await runRestore(world.context(), { ...input, keepReplaced: true }, executionOf("one"), {
    after: async (step) => {
      if (step !== "finish") return;
      rounds += 1;
      if (rounds === 1) await milvus.createAlias(aside, "yesterday");
      if (rounds === 2) held = false;
    },
  });
  expect(rounds).toBeGreaterThan(1);
  expect((await milvus.describeCollection(aside)).aliases).toEqual(["yesterday"]);
  expect((await milvus.describeCollection(target)).aliases).not.toContain("yesterday");
});
