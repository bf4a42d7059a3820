import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { functionSpecs } from "../../../../infra/functions.ts";

const run = promisify(execFile);
const script = fileURLToPath(new URL("../../../support/prepare-process.ts", import.meta.url));

const segments = 400_000;
const mebibyte = 2 ** 20;

/** How Lambda's runtime starts Node: nine tenths of the memory for old objects, a twentieth for each half of the young ones. */
function heapOfLambda(memoryMiB: number): string[] {
  return [
    `--max-old-space-size=${Math.floor(memoryMiB * 0.9)}`,
    `--max-semi-space-size=${Math.floor(memoryMiB * 0.05)}`,
  ];
}

test.each([
  ["prepare-restore", "2.3.5", 0, "none"],
  ["prepare-restore", "2.5.4", segments, "manifest"],
  ["prepare-transfer", "2.3.5", 0, "none"],
] as const)(
  "%s of 2,000,000 objects (target %s) stays below 512 MiB",
  { timeout: 15 * 60_000 },
  async (step, version, pairs, manifest) => {
    const { memoryMiB } = functionSpecs.find(({ name }) => name === step) ?? expect.fail(`no function ${step}`);

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
    expect(peakBytes).toBeLessThan(512 * mebibyte);
  },
);
