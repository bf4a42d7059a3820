import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import type { CopyBatch } from "../../../../src/core/execution/copy-plan.ts";
import type { StepContext } from "../../../../src/ports/step-context.ts";
import { copySegments } from "../../../../src/steps/copy/copy-segments.ts";
import { gentlePace, objectSlots, type Pace, usualPace } from "../../../../src/steps/copy/in-flight.ts";
import { memoryContext } from "../../../support/memory-context.ts";

/** Counts how many are at work at once. */
function counted() {
  const seen = { now: 0, most: 0 };
  const during = async <T>(work: () => Promise<T>): Promise<T> => {
    seen.now += 1;
    seen.most = Math.max(seen.most, seen.now);
    try {
      await turn();
      return await work();
    } finally {
      seen.now -= 1;
    }
  };
  return { seen, during };
}

test.each([
  ["usually", usualPace],
  ["gently", gentlePace],
])("%s there is a bound for small objects and one for large ones", async (_, pace: Pace) => {
  for (const [size, most] of [
    [1, pace.smallObjects],
    [2 ** 30, pace.largeObjects],
  ] as const) {
    const { seen, during } = counted();
    const slot = objectSlots(pace);

    await Promise.all(Array.from({ length: 100 }, () => slot(size, () => during(async () => {}))));

    expect(seen.most).toBe(most);
  }
});

test("a batch whose function was killed is copied whole, with an eighth of the objects at once", async () => {
  const [source, destination] = [
    { environment: "prod", side: "milvus" },
    { environment: "prod", side: "backup" },
  ] as const;
  const context = memoryContext();
  const ids = Array.from({ length: 40 }, (_, index) => String(index + 1));
  for (const id of ids) context.store(source).seed(`files/insert_log/1/2/${id}/100/9`, `log of ${id}`);
  const { seen, during } = counted();
  const openStore: StepContext["openStore"] = async ({ environment, side }) => {
    const store = context.store({ environment, side });
    if (side === "milvus") return store;
    return new Proxy(store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        const call = value.bind(target) as (...given: unknown[]) => Promise<unknown>;
        return name === "copyFrom" ? (...given: unknown[]) => during(() => call(...given)) : call;
      },
    });
  };
  const copy = async (execution: string, died?: { Error: string; Cause: string }) => {
    const batchKey = `executions/backup/${execution}/batches/0-000000.json`;
    const batch: CopyBatch = {
      batch: "0-000000",
      source,
      destination,
      receiptKey: `receipts/${execution}.json`,
      cancelKey: "cancelled",
      checkLogCounts: false,
      segments: ids.map((id) => ({
        ...{ collectionId: "1", partitionId: "2", segmentId: id, rows: "1", isL0: false },
        prefixes: [{ kind: "insert", from: `files/insert_log/1/2/${id}/`, to: `${execution}/insert_log/1/2/${id}/` }],
      })),
    };
    context.work.seed(batchKey, JSON.stringify(batch));
    seen.most = 0;
    return copySegments({ execution, batchKey, ...(died && { died }) }, { ...context, openStore });
  };

  await expect(copy("usual")).resolves.toMatchObject({ outcome: "copied" });
  expect(seen.most).toBeGreaterThan(8);
  await expect(copy("killed", { Error: "Runtime.ExitError", Cause: "" })).resolves.toMatchObject({ outcome: "copied" });
  expect(seen.most).toBeLessThanOrEqual(gentlePace.smallObjects);
  expect(context.store(destination).keys("killed/")).toHaveLength(40);
});
