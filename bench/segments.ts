import { dropCollection } from "../local/milvus-client.ts";
import { configs } from "../measure/milvus-backup.ts";
import { coolFunctions } from "../measure/pipeline-functions.ts";
import { deleteBackup, type MeasuredRun, measureCreate, measureRestore } from "../measure/pipeline-run.ts";
import { type Servers, withStack } from "../measure/with-stack.ts";
import { fewSegments, type ManySegments, manySegments, type SegmentsShape, seedSegments } from "./many-segments.ts";
import { type BenchMachine, benchMachine, medianBy, type RepeatedOptions } from "./options.ts";
import { runRival } from "./rival.ts";

/** Backups and restores of the collection with many segments, through the deployed pipeline. */
interface PipelineRuns {
  readonly create: MeasuredRun;
  readonly restore: MeasuredRun;
}

/** Milliseconds of the Go tool's commands, from start to end of its process; medians. */
interface RivalTimes {
  readonly create: number;
  /** Of one run: each of its restores takes minutes. */
  readonly restore: number;
  readonly createFew: number;
}

/** Everything one run of the benchmark measured; times in milliseconds. */
export interface SegmentsResult {
  readonly machine: BenchMachine;
  /** So many runs the medians are of. */
  readonly runs: number;
  readonly collection: ManySegments;
  readonly few: ManySegments;
  readonly cold: PipelineRuns;
  /** The median of the warm runs, by the command's time. */
  readonly warm: PipelineRuns;
  /** The median of the warm backups of the collection with few segments. */
  readonly createFew: MeasuredRun;
  /** Two incremental backups of the unchanged collection, one after the other, warm. */
  readonly incremental: { readonly first: MeasuredRun; readonly second: MeasuredRun };
  readonly rival?: RivalTimes;
}

const many = "bench_many_segments";
const few = "bench_few_segments";
const incrementals = ["bench_incremental_1", "bench_incremental_2"] as const;

/** Measures the pipeline and, where there is one, the Go tool on the local stack; what it made is removed. */
export async function runSegments(options: RepeatedOptions): Promise<SegmentsResult> {
  return withStack(options, async (servers) => {
    await cleanUp(servers, options.runs); // what a run that was interrupted left
    try {
      return await measure(servers, options);
    } finally {
      await cleanUp(servers, options.runs);
    }
  });
}

async function measure({ a }: Servers, options: RepeatedOptions): Promise<SegmentsResult> {
  const { rival, say, signal, runs } = options;
  const seed = (name: string, shape: SegmentsShape) => seedSegments(a, name, shape, (text) => say(`seeding: ${text}`));
  const [seededMany, seededFew] = [await seed(many, manySegments), await seed(few, fewSegments)];

  say("pipeline, cold: create");
  await coolFunctions();
  const coldCreate = await measureCreate(many, "bench_cold");
  say("pipeline, cold: restore");
  // Before the restore too: the function that stages is the one that copied.
  await coolFunctions();
  const coldRestore = await measureRestore(many, "bench_cold", "_cold");

  // Run by run side by side with the Go tool, so that what else the machine does meets both.
  const creates: MeasuredRun[] = [];
  const createsFew: MeasuredRun[] = [];
  const rivals: number[] = [];
  const rivalsFew: number[] = [];
  for (let run = 1; run <= runs; run += 1) {
    signal.throwIfAborted();
    say(`create, run ${run} of ${runs}`);
    creates.push(await measureCreate(many, `bench_warm_${run}`));
    if (rival !== undefined) rivals.push(await rivalCreate(rival, many, `bench_rival_${run}`, signal));
    createsFew.push(await measureCreate(few, `bench_few_${run}`));
    if (rival !== undefined) rivalsFew.push(await rivalCreate(rival, few, `bench_rival_few_${run}`, signal));
  }
  const restores: MeasuredRun[] = [];
  for (let run = 1; run <= runs; run += 1) {
    signal.throwIfAborted();
    say(`restore, run ${run} of ${runs}`);
    restores.push(await measureRestore(many, `bench_warm_${run}`, `_warm_${run}`));
  }
  say("incremental: the first, and the second of the unchanged collection");
  const incremental = {
    first: await measureCreate(many, incrementals[0], ["--incremental"]),
    second: await measureCreate(many, incrementals[1], ["--incremental"]),
  };
  if (rival !== undefined) say("the Go tool's restore; it takes minutes");
  const restore = rival === undefined ? undefined : await rivalRestore(rival, many, "bench_rival_1", "_rival", signal);
  const byCommand = (all: readonly MeasuredRun[]) => medianBy(all, ({ commandMilliseconds }) => commandMilliseconds);
  const self = (value: number) => value;
  return {
    machine: benchMachine(),
    runs,
    collection: seededMany,
    few: seededFew,
    cold: { create: coldCreate, restore: coldRestore },
    warm: { create: byCommand(creates), restore: byCommand(restores) },
    createFew: byCommand(createsFew),
    incremental,
    ...(restore !== undefined && {
      rival: { create: medianBy(rivals, self), createFew: medianBy(rivalsFew, self), restore },
    }),
  };
}

function rivalCreate(binary: string, collection: string, backup: string, signal: AbortSignal): Promise<number> {
  return runRival(binary, ["--config", configs.a, "create", "-c", collection, "-n", backup], signal);
}

function rivalRestore(binary: string, collection: string, backup: string, suffix: string, signal: AbortSignal) {
  return runRival(binary, ["--config", configs.b, "restore", "-c", collection, "-n", backup, "-s", suffix], signal);
}

/** Takes away what the benchmark makes. */
async function cleanUp({ a, b }: Servers, runs: number): Promise<void> {
  const each = Array.from({ length: runs }, (_, index) => index + 1);
  for (const name of [many, few]) await dropCollection(a, name);
  for (const suffix of ["_cold", "_rival", ...each.map((run) => `_warm_${run}`)])
    await dropCollection(b, many + suffix);
  const perRun = each.flatMap((run) => ["warm", "few", "rival", "rival_few"].map((kind) => `bench_${kind}_${run}`));
  for (const backup of ["bench_cold", ...perRun, ...incrementals]) await deleteBackup(backup);
}
