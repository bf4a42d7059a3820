import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { batchLimits, planBatches } from "../../../../src/core/execution/copy-plan.ts";

const sizes = fc.array(fc.integer({ min: 0, max: 5 * 2 ** 30 }), { maxLength: 400 });

describe("planBatches", () => {
  test("keeps every segment, in order, within the limits of a batch", () => {
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 64 }), (bytes, parallel) => {
        const batches = planBatches(bytes, (size) => size, { parallel });

        expect(batches.flat()).toEqual(bytes);
        for (const batch of batches) {
          expect(batch.length).toBeGreaterThan(0);
          expect(batch.length).toBeLessThanOrEqual(batchLimits.segments);
          const total = batch.reduce((sum, size) => sum + size, 0);
          expect(batch.length === 1 || total <= batchLimits.bytes).toBe(true);
        }
      }),
    );
  });

  test("puts few small segments into one batch and spreads more of them", () => {
    const batchesOf = (count: number) => planBatches(Array.from({ length: count }), () => 1, { parallel: 64 });

    expect(batchesOf(0)).toEqual([]);
    expect(batchesOf(20)).toHaveLength(1);
    expect(batchesOf(80)).toHaveLength(4);
    expect(batchesOf(100_000)).toHaveLength(Math.ceil(100_000 / batchLimits.segments));
  });

  test("gives a segment above the limit a batch of its own", () => {
    const huge = batchLimits.bytes + 1;

    expect(planBatches([1, huge, 1], (size) => size, { parallel: 1 })).toEqual([[1], [huge], [1]]);
  });
});
