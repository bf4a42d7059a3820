import { execa } from "execa";
import { z } from "zod";
import { projectDir } from "../local/paths.ts";
import { type BenchMachine, benchMachine } from "./options.ts";

/** What a step took of a backup, a verification or a restore. */
const grownStep = z.object({
  /** `backup: copy` */
  step: z.string(),
  invocations: z.number(),
  /** Of all of them, one after another. */
  milliseconds: z.number(),
  /** Of the one that took most memory, beside what the process held before. */
  peakBytes: z.number(),
  /** The largest answer of one: what a state carries on. */
  payloadBytes: z.number(),
});
export type GrownStep = z.infer<typeof grownStep>;

const grown = z.object({ segments: z.number(), objects: z.number(), steps: z.array(grownStep) });
export type Grown = z.infer<typeof grown>;

export interface GrowthResult {
  readonly machine: BenchMachine;
  readonly sizes: readonly Grown[];
}

const sizes = [100, 1_000, 10_000, 100_000];

/**
 * Runs every step of a backup, a verification and a restore of more and more segments, each size in a process of its own. Stores and Milvus
 * are those of the unit tests, in memory: on an emulator its one process would be what is measured.
 * @throws Error with what the process printed where it failed
 */
export async function runGrowth({
  say,
  signal,
}: {
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}): Promise<GrowthResult> {
  const results: Grown[] = [];
  for (const size of sizes) {
    say(`${size.toLocaleString("en-US")} segments`);
    const { stdout } = await execa(
      process.execPath,
      ["--expose-gc", "--max-old-space-size=12000", "test/support/growth-process.ts", String(size)],
      { cwd: projectDir, stdin: "ignore", cancelSignal: signal, timeout: 900_000 },
    );
    results.push(grown.parse(JSON.parse(stdout)));
  }
  return { machine: benchMachine(), sizes: results };
}
