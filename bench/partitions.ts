import { dropCollection } from "../local/milvus-client.ts";
import { configs } from "../measure/milvus-backup.ts";
import { deleteBackup, type MeasuredRun, measureCreate, measureRestore } from "../measure/pipeline-run.ts";
import { textTable } from "../measure/text-table.ts";
import { type Servers, withStack } from "../measure/with-stack.ts";
import { type BenchMachine, benchMachine, machineText, medianBy, type RepeatedOptions } from "./options.ts";
import { type PartitionedShape, seedPartitioned, shop, tenants } from "./partitioned.ts";
import { runRival } from "./rival.ts";

/** Restores of small partitions; medians, milliseconds. */
interface PartitionTimes {
  readonly name: string;
  readonly partitions: number;
  readonly rows: number;
  readonly restore: MeasuredRun;
  /** Of one run of the Go tool, of a backup of its own. */
  readonly rival?: number;
}

export interface PartitionsResult {
  readonly machine: BenchMachine;
  readonly runs: number;
  readonly restores: readonly PartitionTimes[];
}

const cases: readonly {
  readonly name: string;
  readonly backup: string;
  readonly shapes: readonly PartitionedShape[];
}[] = [
  { name: "64 partitions of a key, 100 rows each", backup: "bench_tenants", shapes: tenants },
  { name: "28 partitions of 4 collections, one makes its keys", backup: "bench_shop", shapes: shop },
];
const suffixOf = (run: number) => `_run_${run}`;
const rivalSuffix = "_rival";

/** Measures restores of collections of small partitions beside the Go tool; what it made is removed. */
export async function runPartitions(options: RepeatedOptions): Promise<PartitionsResult> {
  return withStack(options, async (servers) => {
    await removeAll(servers, options.runs); // what a run that was interrupted left
    try {
      const restores: PartitionTimes[] = [];
      for (const one of cases) restores.push(await measure(servers, one, options));
      return { machine: benchMachine(), runs: options.runs, restores };
    } finally {
      await removeAll(servers, options.runs);
    }
  });
}

async function measure(
  { a }: Servers,
  { name, backup, shapes }: (typeof cases)[number],
  { runs, rival, say, signal }: RepeatedOptions,
): Promise<PartitionTimes> {
  let rows = 0;
  for (const shape of shapes) {
    say(`seeding ${shape.name}`);
    rows += await seedPartitioned(a, shape);
  }
  const collections = shapes.map((shape) => shape.name).join();
  await measureCreate(collections, backup);
  const measured: MeasuredRun[] = [];
  for (let run = 0; run <= runs; run += 1) {
    signal.throwIfAborted();
    say(`restore: ${name}, ${run === 0 ? "not counted" : `run ${run} of ${runs}`}`);
    const one = await measureRestore(collections, backup, suffixOf(run));
    if (run > 0) measured.push(one);
  }
  let theirs: number | undefined;
  if (rival !== undefined) {
    await runRival(
      rival,
      ["--config", configs.a, "create", "-c", collections, "-n", `${backup}${rivalSuffix}`],
      signal,
    );
    say(`the Go tool's restore of ${name}; it takes minutes`);
    const restore = ["--config", configs.b, "restore", "-c", collections, "-n", `${backup}${rivalSuffix}`];
    theirs = await runRival(rival, [...restore, "-s", rivalSuffix], signal);
  }
  return {
    name,
    partitions: shapes.reduce((sum, { partitions }) => sum + partitions, 0),
    rows,
    restore: medianBy(measured, ({ commandMilliseconds }) => commandMilliseconds),
    ...(theirs !== undefined && { rival: theirs }),
  };
}

async function removeAll({ a, b }: Servers, runs: number): Promise<void> {
  const suffixes = [rivalSuffix, ...Array.from({ length: runs + 1 }, (_, run) => suffixOf(run))];
  for (const { backup, shapes } of cases) {
    for (const { name } of shapes) {
      await dropCollection(a, name);
      for (const suffix of suffixes) await dropCollection(b, name + suffix);
    }
    for (const name of [backup, `${backup}${rivalSuffix}`]) await deleteBackup(name);
  }
}

/** The figures as a table. */
export function partitionsText({ machine, runs, restores }: PartitionsResult): string {
  const seconds = (milliseconds: number | undefined) =>
    milliseconds === undefined ? "-" : `${(milliseconds / 1_000).toFixed(2)} s`;
  const times = (rival: number | undefined, own: number) => (rival === undefined ? "-" : (rival / own).toFixed(1));
  return [
    `${machineText(machine)}; medians of ${runs} warm runs, the Go tool once`,
    textTable(
      ["restore of", "the execution", "the command", "the Go tool", "times as fast"],
      restores.map(({ name, restore, rival }) => [
        name,
        seconds(restore.times.milliseconds),
        seconds(restore.commandMilliseconds),
        seconds(rival),
        times(rival, restore.commandMilliseconds),
      ]),
    ),
  ].join("\n");
}
