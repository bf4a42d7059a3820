import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { expect, test } from "vitest";
import { heapOfLambda } from "../../../support/lambda-heap.ts";

const projectDir = fileURLToPath(new URL("../../../../", import.meta.url));
const minutes = 60_000;
const mebibyte = 2 ** 20;
const memoryMiB = 512;
const segments = 10_000;

test("10,000 unchanged segments are planned, compared and committed by listings of partitions, in less than 512 MiB", {
  timeout: 10 * minutes,
}, async () => {
  const program = [...heapOfLambda(memoryMiB), "--expose-gc", "test/support/incremental-process.ts", String(segments)];

  const { stdout } = await execa(process.execPath, program, { cwd: projectDir });

  const { result, seconds, listings, copies, lacking, peakBytes } = JSON.parse(stdout);
  console.log(`${segments} unchanged segments: ${seconds.toFixed(1)} s, ${Math.round(peakBytes / mebibyte)} MiB`);
  // three of the shop and 10,000; of them one has deletes
  expect(result).toMatchObject({ segments: segments + 3, objects: segments * 5 + 13, newObjects: 1 });
  expect(copies).toBe(1);
  // two for each of ten partitions, some for whole collections, before the commit and for the one copy
  expect(listings).toBeLessThan(40);
  expect(lacking).toEqual([]);
  expect(peakBytes).toBeGreaterThan(0);
  expect(peakBytes).toBeLessThan(memoryMiB * mebibyte);
});
