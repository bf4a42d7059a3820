import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { byteBudget } from "../../../src/adapters/streams/byte-budget.ts";

const kibibyte = 2 ** 10;
const limit = 4_096 * kibibyte;

/** The memory behind a buffer. */
const memoryOf = ({ buffer }: Buffer) => buffer as ArrayBuffer;

test("memory of large objects is lent again, smallest fit first, when the one before is done with it", async () => {
  const { run } = byteBudget(limit);
  const lent: ArrayBuffer[] = [];
  for (const size of [1_024, 512, 500, 1_000]) {
    await run(size * kibibyte, async (memory) => {
      expect(memory).toHaveLength(size * kibibyte);
      lent.push(memoryOf(memory));
    });
  }
  expect(new Set(lent).size).toBe(1);

  await Promise.all([
    run(300 * kibibyte, async (memory) => void lent.push(memoryOf(memory))),
    run(300 * kibibyte, async (memory) => void lent.push(memoryOf(memory))),
  ]);
  expect(lent[4]).toBe(lent[0]);
  expect(lent[5]).not.toBe(lent[0]);
});

test("one larger than all runs alone, and its memory is not kept", async () => {
  const { run } = byteBudget(limit);
  const huge: ArrayBuffer[] = [];
  let atOnce = 0;
  await Promise.all(
    [limit * 2, limit * 2, 300 * kibibyte].map((bytes) =>
      run(bytes, async (memory) => {
        atOnce += 1;
        expect(atOnce).toBe(1);
        huge.push(memoryOf(memory));
        await sleep(1);
        atOnce -= 1;
      }),
    ),
  );
  expect(new Set(huge).size).toBe(3);
});

test("what is on its way at once never shares memory, holds no more than the limit, and ends, whatever fails", async () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 1_500 * kibibyte }), { minLength: 1, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(sizes, fc.integer({ min: 1, max: 7 }), async (tasks, failing) => {
      const { run } = byteBudget(limit);
      let held = 0;
      const all = await Promise.allSettled(
        tasks.map((bytes, index) =>
          run(bytes, async (memory) => {
            held += bytes;
            expect(held).toBeLessThanOrEqual(limit);
            memory.fill(index);
            await sleep(0);
            // another task would have written its own number here
            expect(memory.every((byte) => byte === index)).toBe(true);
            held -= bytes;
            if (index % failing === 0) throw new Error("failed");
          }),
        ),
      );
      expect(all.filter(({ status }) => status === "rejected")).toHaveLength(
        tasks.filter((_, index) => index % failing === 0).length,
      );
    }),
    { numRuns: 20 },
  );
});
