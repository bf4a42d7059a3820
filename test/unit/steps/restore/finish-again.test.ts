import { beforeEach, expect, test } from "vitest";
import type { FinishRestoreResult } from "../../../../src/core/execution/messages.ts";
import { finishRestore } from "../../../../src/steps/restore/finish-restore.ts";
import { aroundCalls } from "../../../support/around-calls.ts";
import type { PipelineWorld } from "../../../support/pipeline-world.ts";
import { addOld, aside, backedUpShop, replacing as input, target } from "../../../support/replaced-books.ts";
import { executionOf, runRestore } from "../../../support/run-machines.ts";

let world: PipelineWorld;

beforeEach(async () => {
  world = await backedUpShop();
  addOld(world, { aliases: ["reading"] });
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
