import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { expect, test } from "vitest";
import { functionSpecs } from "../../../../infra/functions.ts";
import { heapOfLambda } from "../../../support/lambda-heap.ts";

const projectDir = fileURLToPath(new URL("../../../../", import.meta.url));
const minutes = 60_000;
const mebibyte = 2 ** 20;
const segments = 100_000;
const objects = 2_000_000;
/** What it must do with, whatever more its function has. */
const memoryMiB = 512;

test.each([
  ["finalize-backup", "backup", "backed-up"],
  ["finalize-transfer", "transfer", "transferred"],
])(
  "%s of 2,000,000 objects stays below 512 MiB, in a function that has no more",
  { timeout: 10 * minutes },
  async (name, machine, outcome) => {
    expect(functionSpecs.find((spec) => spec.name === name)?.memoryMiB).toBeGreaterThanOrEqual(memoryMiB);
    const program = [...heapOfLambda(memoryMiB), "test/support/finalize-process.ts", machine, String(segments)];

    const { stdout } = await execa(process.execPath, program, { cwd: projectDir });

    const { result, peakBytes } = JSON.parse(stdout);
    expect(result).toMatchObject({ outcome, segments, objects });
    console.log(`${name}: ${Math.round(peakBytes / mebibyte)} MiB at ${objects} objects`);
    expect(peakBytes).toBeLessThan(memoryMiB * mebibyte);
  },
);
