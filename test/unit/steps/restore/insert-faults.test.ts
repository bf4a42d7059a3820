import { beforeEach, describe, expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import type { CollectionName } from "../../../../src/ports/milvus.ts";
import { type ImportContext, importSegments } from "../../../../src/steps/restore/import-segments.ts";
import { aroundCalls } from "../../../support/around-calls.ts";
import { FaultInjector, type FaultMoment } from "../../../support/fault-injector.ts";
import {
  input,
  partitionedWorld,
  rowsOf,
  type SmallCollection,
  target,
  told,
} from "../../../support/partitioned-world.ts";
import type { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runRestore } from "../../../support/run-machines.ts";
import { heldTargets, stagedKeys } from "../../../support/targets.ts";

const first = executionOf("first");
const second = executionOf("second");

/** Three partitions that are inserted, and one that is imported behind them. */
const orders: SmallCollection = {
  name: "orders",
  segments: [
    { partition: "_default", rows: rowsOf(1, 2, 3), deletes: [[2, 40]] },
    { partition: "large", rows: rowsOf(11), counted: 10_000 },
    { partition: "p1", rows: rowsOf(21) },
    { partition: "p2", rows: rowsOf(31) },
  ],
};
const backedUp = () => partitionedWorld([orders]);

/** All that a restore leaves: rows as often as they are there, without IDs. */
async function outcome(world: PipelineWorld) {
  const milvus = world.milvus("dr");
  const of = async (name: CollectionName) => ({
    inserted: told(milvus.insertedRows(name)).toSorted(),
    imported: milvus.submittedImports(name).map(({ partition }) => partition),
    rows: await milvus.rowCount(name),
    partitions: (await milvus.listPartitions(name)).map((partition) => partition.name),
    indexes: (await milvus.listIndexes(name)).map(({ indexName }) => indexName),
  });
  return {
    orders: await of(target),
    collections: (await milvus.listCollections("default")).toSorted(),
    staged: stagedKeys(world.bucket("bucket-b")),
    records: world.work.keys("restores/"),
    leases: [...heldTargets(world.bucket("bucket-b")), ...world.work.keys("readers/")],
  };
}

let undisturbed: Awaited<ReturnType<typeof outcome>>;
let calls: readonly string[];
/** Numbers of the calls from the first that makes a collection on: what is before is the matter of other tests. */
let numbers: readonly number[];

beforeEach(async () => {
  const world = await backedUp();
  const faults = new FaultInjector();
  await runRestore(world.context(faults), input, second);
  undisturbed = await outcome(world);
  calls = faults.calls;
  const from = calls.findIndex((call) => call.startsWith("dr.createCollection"));
  numbers = calls.flatMap((_, number) => (number < from ? [] : [number]));
});

test("undisturbed, every row is there once", () => {
  expect(undisturbed.orders).toMatchObject({ rows: 10_004n, imported: ["large"] });
  expect(undisturbed.orders.inserted).toEqual([
    "_default 1 text 1",
    "_default 3 text 3",
    "p1 21 text 21",
    "p2 31 text 31",
  ]);
  expect(undisturbed).toMatchObject({ collections: ["orders_bak"], staged: [], records: [], leases: [] });
  expect(calls.filter((call) => call.startsWith("dr.insertRows"))).toHaveLength(3);
});

describe.each<FaultMoment>(["before", "after"])("with a fault %s any call", (moment) => {
  test("every row is there once when the step runs again", async () => {
    for (const at of numbers) {
      const world = await backedUp();
      const faults = new FaultInjector(at, moment);

      await runRestore(world.context(faults), input, second, { retries: 1 });

      expect(await outcome(world), `${moment} ${faults.calls[at]}`).toEqual(undisturbed);
    }
  });

  test("every row is there once when a new execution goes on", async () => {
    for (const at of numbers) {
      const world = await backedUp();
      const what = `${moment} ${calls[at]}`;
      const failed = await runRestore(world.context(new FaultInjector(at, moment)), input, first).then(
        () => false,
        () => true,
      );
      const named = await world.milvus("dr").listCollections("default");
      if (!named.includes("orders_bak") || world.work.keys("restores/").length > 0) {
        expect(failed, what).toBe(true);
        await runRestore(world.context(), input, second);
      }

      expect(await outcome(world), what).toEqual(undisturbed);
    }
  });
});

/** A world's context whose Milvus does something right after each call of a kind. */
function afterCalls(
  world: PipelineWorld,
  call: "insertRows" | "flush" | "submitImport" | "describeCollection",
  then: (call: number) => Promise<void>,
): ImportContext {
  let calls = 0;
  return aroundCalls(world.context(), async (name, _, make) => {
    const answer = await make();
    if (name !== call) return answer;
    calls += 1;
    await then(calls);
    return answer;
  });
}

async function noAnswer(): Promise<void> {
  throw new PipelineError("MilvusBusy", "no answer");
}

test("an answer that never comes: the same execution makes the collection anew, and inserts once more", async () => {
  const world = await backedUp();
  const context = afterCalls(world, "insertRows", async (insert) => {
    if (insert === 2) await noAnswer();
  });

  await runRestore(context, input, second);

  expect(await outcome(world)).toEqual(undisturbed);
  const { calls: made } = world.milvus("dr");
  expect(made.filter((call) => call.startsWith("createCollection"))).toHaveLength(2);
  expect(made.filter((call) => call.startsWith("insertRows"))).toHaveLength(5);
});

test("the function of an execution that was stopped inserts nothing more once the same restore runs again", async () => {
  const world = await backedUp();
  let two: unknown;
  const context = afterCalls(world, "insertRows", async (insert) => {
    if (insert === 1) two = await runRestore(world.context(), input, second);
  });

  const one = runRestore(context, input, first, { release: false });

  await expect(one).rejects.toThrow();
  expect(two).toMatchObject({ outcome: "restored" });
  expect((await outcome(world)).orders).toEqual(undisturbed.orders);
});

test("a function that was taken for dead while it waited for the flush takes back nothing of what the next one wrote down", async () => {
  const world = await backedUp();
  const again = { execution: first, input, attempt: 1 };
  const context = afterCalls(world, "flush", async (flush) => {
    // The machine asks again, and that function has submitted what is imported behind the rows.
    if (flush === 1) await importSegments(again, afterCalls(world, "submitImport", noAnswer));
  });

  await runRestore(context, input, first, { retries: 1 });

  expect((await outcome(world)).orders).toEqual(undisturbed.orders);
});

test("a function that was taken for dead before it began inserts nothing into what the next one has filled", async () => {
  const world = await backedUp();
  const again = { execution: first, input, attempt: 0 };
  let one: Promise<unknown> | undefined;

  await runRestore(world.context(), input, first, {
    async after(step) {
      if (step !== "recreate") return;
      // It has looked at the collection, and says next that it begins.
      const context = afterCalls(world, "describeCollection", async (look) => {
        if (look === 1) await importSegments(again, world.context());
      });
      one = importSegments(again, context);
      await one.catch(() => undefined);
    },
  });

  // it has read that they are there
  await expect(one).resolves.toMatchObject({ outcome: "imported" });
  expect(world.milvus("dr").calls.filter((call) => call.startsWith("insertRows"))).toHaveLength(3);
  expect(await outcome(world)).toEqual(undisturbed);
});
