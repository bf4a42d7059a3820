import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { expect, test } from "vitest";
import { functionSpecs } from "../../../../infra/functions.ts";

const projectDir = fileURLToPath(new URL("../../../../", import.meta.url));
const minutes = 60_000;
const mebibyte = 2 ** 20;
const segments = 100_000;
const objects = 2_000_000;

/** How Lambda's runtime starts Node: nine tenths of the memory for old objects, a twentieth for each half of the young ones. */
function heapOfLambda(name: string): string[] {
  const { memoryMiB } = functionSpecs.find((spec) => spec.name === name) ?? expect.fail(`no function ${name}`);
  return [
    `--max-old-space-size=${Math.floor(memoryMiB * 0.9)}`,
    `--max-semi-space-size=${Math.floor(memoryMiB * 0.05)}`,
  ];
}

test.each([
  ["finalize-backup", "backup", "backed-up"],
  ["finalize-transfer", "transfer", "transferred"],
])("%s of 2,000,000 objects stays below 512 MB", { timeout: 10 * minutes }, async (name, machine, outcome) => {
  const program = [...heapOfLambda(name), "test/support/finalize-process.ts", machine, String(segments)];

  const { stdout } = await execa(process.execPath, program, { cwd: projectDir });

  const { result, peakBytes } = JSON.parse(stdout);
  expect(result).toMatchObject({ outcome, segments, objects });
  console.log(`${name}: ${Math.round(peakBytes / mebibyte)} MiB at ${objects} objects`);
  expect(peakBytes).toBeLessThan(512 * mebibyte);
});
