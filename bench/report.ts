import prettyBytes from "pretty-bytes";
import type { MeasuredRun } from "../measure/pipeline-run.ts";
import { textTable } from "../measure/text-table.ts";
import { seconds, timesTable } from "../measure/times-table.ts";
import type { CopyRate } from "./copy-rate.ts";
import type { ManyResult } from "./many.ts";
import type { Nightlies, NightliesResult } from "./nightlies.ts";
import type { BroughtBack } from "./one-instant.ts";
import { benchMachine, machineText, median } from "./options.ts";
import type { SegmentsResult } from "./segments.ts";

/** Backups and restores of many small segments, as tables. */
export function segmentsText(result: SegmentsResult): string {
  const { machine, runs, collection, cold, warm, incremental } = result;
  return [
    `${machineText(machine)}; medians of ${runs} warm runs`,
    `${count(collection.segments)} segments, ${count(collection.rows)} rows; ${count(warm.create.objects)} objects, ${prettyBytes(warm.create.bytes)} backed up`,
    comparisonTable(result),
    timesTable("backup", cold.create.times, warm.create.times),
    timesTable("incremental backup", incremental.first.times, incremental.second.times, ["first", "second"]),
    timesTable("restore", cold.restore.times, warm.restore.times),
  ].join("\n\n");
}

/** How many times as fast as the Go tool the pipeline's warm runs are, by the commands' own times. */
export function ratios({
  warm,
  createFew,
  rival,
}: SegmentsResult): { create: number; createFew: number; restore: number } | undefined {
  return (
    rival && {
      create: rival.create / warm.create.commandMilliseconds,
      createFew: rival.createFew / createFew.commandMilliseconds,
      restore: rival.restore / warm.restore.commandMilliseconds,
    }
  );
}

/** Restores from a store that takes its time, as tables. */
export function manyText({ machine, runs, latency, restores }: ManyResult): string {
  const table = textTable(
    [`restore, ${latency} ms more a request`, "staging", "imports", "the command", "the Go tool", "times as fast"],
    restores.map(({ name, restore, rival, timesAsFast }) => {
      // a small plan is staged "directly", a large one in a map run
      const state = (wanted: string) =>
        restore.times.states.find((one) => one.state.startsWith(wanted))?.milliseconds ?? 0;
      const [staging, imports] = [state("Stage Segments"), state("Import Segments")];
      return [
        name,
        ...[staging, imports, restore.commandMilliseconds].map(seconds),
        rival === undefined ? "-" : seconds(rival),
        timesAsFast === undefined ? "-" : timesAsFast.toFixed(1),
      ];
    }),
  );
  return `${machineText(machine)}; medians of ${runs} warm runs\n\n${table}`;
}

/** What backups under a load brought back, as a table. */
export function broughtBackText(results: readonly BroughtBack[]): string {
  return textTable(
    [
      ...["upserted without a pause", "taken", "restored", "keys expected", "keys back", "twice", "wrong version"],
      ...["a backup (median)", "the longest", "cut anew"],
    ],
    results.map((result) => [
      `${result.tool}${result.compacting ? ", while compacted" : ""}`,
      `${result.taken} of ${result.asked}`,
      `${result.restored} of ${result.taken}`,
      ...[result.keysExpected, result.keysBack, result.keysTwice, result.wrongVersions].map(count),
      ...[result.medianMilliseconds, result.longestMilliseconds].map(seconds),
      result.cutAnew === undefined ? "-" : count(result.cutAnew),
    ]),
  );
}

/** Thirty nights: what lies in the store, and how long the commands took. */
export function nightliesText({ rows, segments, series }: NightliesResult): string {
  const plain = series.find(({ tool }) => tool === "plain");
  const last = (one: Nightlies | undefined) => one?.nights.at(-1)?.storedBytes ?? 0;
  const first = (one: Nightlies | undefined) => one?.nights[0]?.storedBytes ?? 0;
  const total = (one: Nightlies) => one.nights.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const table = textTable(
    ["thirty nights", "the first", "all of them", "of plain", "in first nights", "took", "a night (median)"],
    series.map((one) => [
      one.tool,
      prettyBytes(first(one)),
      prettyBytes(last(one)),
      `${((last(one) / last(plain)) * 100).toFixed(1)} %`,
      (last(one) / first(one)).toFixed(2),
      seconds(total(one)),
      seconds(median(one.nights.map(({ milliseconds }) => milliseconds))),
    ]),
  );
  return `${machineText(benchMachine())}\n\n${count(rows)} rows in ${count(segments)} segments, 1 % new rows and 0.5 % deletes a day, a compaction a week\n\n${table}`;
}

function comparisonTable(result: SegmentsResult): string {
  const { few, cold, warm, createFew, incremental, rival } = result;
  const ratio = ratios(result);
  const [ofFew, none] = [`create, ${few.segments} segments`, ""];
  const line = (name: string, figure: (run: MeasuredRun) => number, runs: readonly (MeasuredRun | undefined)[]) => [
    name,
    ...runs.map((run) => (run === undefined ? none : seconds(figure(run)))),
  ];
  const execution = ({ times }: MeasuredRun) => times.milliseconds;
  const command = ({ commandMilliseconds }: MeasuredRun) => commandMilliseconds;
  const { first, second } = incremental;
  return textTable(
    ["from start to end of", "create", ofFew, "restore"],
    [
      line("the execution, cold", execution, [cold.create, undefined, cold.restore]),
      line("the execution, warm", execution, [warm.create, createFew, warm.restore]),
      line("the command, cold", command, [cold.create, undefined, cold.restore]),
      line("the command, warm", command, [warm.create, createFew, warm.restore]),
      line("the execution, incremental, the first", execution, [first, undefined, undefined]),
      line("the execution, incremental, the second", execution, [second, undefined, undefined]),
      line("the command, incremental, the first", command, [first, undefined, undefined]),
      line("the command, incremental, the second", command, [second, undefined, undefined]),
      ...(rival
        ? [["the Go tool's command", seconds(rival.create), seconds(rival.createFew), seconds(rival.restore)]]
        : []),
      ...(ratio
        ? [
            [
              "times as fast (commands, warm)",
              ratio.create.toFixed(2),
              ratio.createFew.toFixed(2),
              ratio.restore.toFixed(1),
            ],
          ]
        : []),
    ],
  );
}

/** Copies alone, as a table. */
export function copyTable(rates: readonly CopyRate[]): string {
  return textTable(
    ["copies alone", "objects", "of", "in flight", "objects/s", "MB/s"],
    rates.map(({ copyMode, objects, objectSize, inFlight, milliseconds }) => [
      copyMode,
      count(objects),
      prettyBytes(objectSize, { binary: true }),
      String(inFlight),
      count(Math.round((objects / milliseconds) * 1000)),
      ((objects * objectSize) / milliseconds / 1000).toFixed(1),
    ]),
  );
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}
