import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { functionSpecs } from "../../../../infra/functions.ts";
import { heapOfLambda } from "../../../support/lambda-heap.ts";

const run = promisify(execFile);
const script = fileURLToPath(new URL("../../../support/prepare-process.ts", import.meta.url));

const segments = 400_000;
const mebibyte = 2 ** 20;
/** What it must do with, whatever more its function has. */
const memoryMiB = 512;

test.each([
  ["prepare-restore", "2.3.5", 0, "none"],
  ["prepare-restore", "2.5.4", segments, "manifest"],
  ["prepare-transfer", "2.3.5", 0, "none"],
] as const)(
  "%s of 2,000,000 objects (target %s) stays below 512 MiB, in a function that has no more",
  { timeout: 15 * 60_000 },
  async (step, version, pairs, manifest) => {
    expect(functionSpecs.find(({ name }) => name === step)?.memoryMiB).toBeGreaterThanOrEqual(memoryMiB);

    const { stdout } = await run(process.execPath, [
      ...heapOfLambda(memoryMiB),
      script,
      step,
      version,
      String(segments),
      manifest,
    ]);

    const { result, written, planBytes, peakBytes, seconds } = JSON.parse(stdout);
    console.log(
      `${step} for ${version}: ${Math.round(peakBytes / mebibyte)} MiB, ${seconds} s, a plan of ${planBytes} bytes`,
    );
    expect(result).toMatchObject({ outcome: "planned", collections: 1, segments, batches: written.batches });
    expect(written).toMatchObject({ segments, logs: 5 * segments });
    expect(written.checksums).toBe(manifest === "manifest" ? 5 * segments : 0);
    if (pairs > 0) expect(written.imported).toBe(pairs);
    // as large as the steps behind it have to hold
    expect(planBytes).toBeLessThan(mebibyte);
    expect(peakBytes).toBeLessThan(memoryMiB * mebibyte);
  },
);
