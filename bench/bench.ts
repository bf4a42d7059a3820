import { availableParallelism, cpus } from "node:os";
import { dropCollection } from "../local/milvus-client.ts";
import { coolFunctions } from "../measure/pipeline-functions.ts";
import { deleteBackup, type MeasuredRun, measureCreate, measureRestore } from "../measure/pipeline-run.ts";
import { type Servers, type WithStackOptions, withStack } from "../measure/with-stack.ts";
import { type CopyRate, measureCopyRates } from "./copy-rate.ts";
import { type ManySegments, seedManySegments } from "./many-segments.ts";
import { measureRival, type RivalTimes } from "./rival.ts";

export interface BenchOptions extends WithStackOptions {
  /** A binary of the Go tool. */
  readonly rival: string | undefined;
  /** Receives progress. */
  readonly say: (text: string) => void;
}

/** A backup and a restore of the collection with many segments, through the deployed pipeline. */
interface PipelineRuns {
  readonly create: MeasuredRun;
  readonly restore: MeasuredRun;
}

/** Everything one run of the benchmark measured; times in milliseconds. */
export interface BenchResult {
  readonly machine: { readonly processor: string; readonly cores: number; readonly node: string };
  readonly collection: ManySegments;
  readonly cold: PipelineRuns;
  readonly warm: PipelineRuns;
  /** Two incremental backups of the unchanged collection, one after the other, warm. */
  readonly incremental: { readonly first: MeasuredRun; readonly second: MeasuredRun };
  readonly rival?: RivalTimes;
  readonly copyRates: readonly CopyRate[];
}

const collection = "bench_many_segments";
const runs = {
  cold: { backupName: "bench_cold", suffix: "_cold" },
  warm: { backupName: "bench_warm", suffix: "_warm" },
  rival: { backupName: "bench_rival", suffix: "_rival" },
} as const;
const incrementals = ["bench_incremental_1", "bench_incremental_2"] as const;

/** Measures the pipeline, the Go tool where there is one, and the copies, on the local stack; what it made is removed. */
export async function runBench(options: BenchOptions): Promise<BenchResult> {
  return withStack(options, async (servers) => {
    await cleanUp(servers); // what a run that was interrupted left
    const result = await measure(servers, options);
    await cleanUp(servers);
    return result;
  });
}

async function measure({ a }: Servers, { rival, say, signal }: BenchOptions): Promise<BenchResult> {
  const seeded = await seedManySegments(a, collection, (text) => say(`seeding: ${text}`));
  const cold = await measurePipeline("cold", say);
  signal.throwIfAborted();
  const warm = await measurePipeline("warm", say);
  signal.throwIfAborted();
  say("incremental: the first, and the second of the unchanged collection");
  const incremental = {
    first: await measureCreate(collection, incrementals[0], ["--incremental"]),
    second: await measureCreate(collection, incrementals[1], ["--incremental"]),
  };
  signal.throwIfAborted();
  if (rival !== undefined) say(`${rival}: create and restore; the restore of this collection takes minutes`);
  const rivalTimes = rival === undefined ? undefined : await measureRival(rival, { collection, ...runs.rival }, signal);
  say("copies alone");
  return {
    machine: { processor: cpus()[0]?.model ?? "?", cores: availableParallelism(), node: process.version },
    collection: seeded,
    cold,
    warm,
    incremental,
    ...(rivalTimes && { rival: rivalTimes }),
    copyRates: await measureCopyRates(signal),
  };
}

async function measurePipeline(kind: "cold" | "warm", say: (text: string) => void): Promise<PipelineRuns> {
  const { backupName, suffix } = runs[kind];
  // Before the restore too: the function that stages is the one that copied.
  const prepare = kind === "cold" ? coolFunctions : async () => {};
  await prepare();
  say(`pipeline, ${kind}: create`);
  const create = await measureCreate(collection, backupName);
  await prepare();
  say(`pipeline, ${kind}: restore`);
  return { create, restore: await measureRestore(collection, backupName, suffix) };
}

async function cleanUp({ a, b }: Servers): Promise<void> {
  await dropCollection(a, collection);
  for (const { backupName, suffix } of Object.values(runs)) {
    await dropCollection(b, collection + suffix);
    await deleteBackup(backupName);
  }
  for (const backupName of incrementals) await deleteBackup(backupName);
}
