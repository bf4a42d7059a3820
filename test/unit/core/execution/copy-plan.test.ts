import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { batchLimits, planBatches } from "../../../../src/core/execution/copy-plan.ts";
import { collected } from "../../../support/collected.ts";

function batchesOf<T>(segments: readonly T[], sizeOf: (segment: T) => number, parallel: number): Promise<T[][]> {
  return collected(planBatches({ segments, count: segments.length }, sizeOf, { parallel }));
}

const sizes = fc.array(fc.integer({ min: 0, max: 5 * 2 ** 30 }), { maxLength: 400 });

describe("planBatches", () => {
  test("keeps every segment, in order, within the limits of a batch", async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 1, max: 64 }), async (bytes, parallel) => {
        const batches = await batchesOf(bytes, (size) => size, parallel);

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

  test("puts few small segments into one batch and spreads more of them", async () => {
    const small = (count: number) => batchesOf(Array.from({ length: count }), () => 1, 64);

    expect(await small(0)).toEqual([]);
    expect(await small(200)).toHaveLength(1);
    expect(await small(400)).toHaveLength(2);
    expect(await small(401)).toHaveLength(3);
    expect(await small(100_000)).toHaveLength(Math.ceil(100_000 / batchLimits.segments));
  });

  test("gives a segment above the limit a batch of its own", async () => {
    const huge = batchLimits.bytes + 1;

    expect(await batchesOf([1, huge, 1], (size) => size, 1)).toEqual([[1], [huge], [1]]);
  });
});
