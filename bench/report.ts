import { availableParallelism, cpus } from "node:os";
import prettyBytes from "pretty-bytes";
import { textTable } from "../measure/text-table.ts";
import { seconds, timesTable } from "../measure/times-table.ts";
import type { BenchResult } from "./bench.ts";
import type { CopyRate } from "./copy-rate.ts";
import type { Nightlies, NightliesResult } from "./nightlies.ts";
import type { BroughtBack } from "./one-instant.ts";

/** The figures of a run as tables. */
export function benchText(result: BenchResult): string {
  const { machine, collection, cold, warm, incremental } = result;
  return [
    `${machine.cores} cores of ${machine.processor}, Node ${machine.node}`,
    `${count(collection.segments)} segments, ${count(collection.rows)} rows; ${count(warm.create.objects)} objects, ${prettyBytes(warm.create.bytes)} backed up`,
    comparisonTable(result),
    timesTable("backup", cold.create.times, warm.create.times),
    timesTable("incremental backup", incremental.first.times, incremental.second.times, ["first", "second"]),
    timesTable("restore", cold.restore.times, warm.restore.times),
    copyTable(result.copyRates),
  ].join("\n\n");
}

/** How many times as fast as the Go tool the pipeline's warm runs are, by the commands' own times. */
export function ratios({ warm, rival }: BenchResult): { create: number; restore: number } | undefined {
  return (
    rival && {
      create: rival.create / warm.create.commandMilliseconds,
      restore: rival.restore / warm.restore.commandMilliseconds,
    }
  );
}

/** What backups under a load brought back, as a table. */
export function broughtBackText(results: readonly BroughtBack[]): string {
  return textTable(
    ["upserted without a pause", "taken", "restored", "keys expected", "keys back", "twice", "wrong version"],
    results.map((result) => [
      `${result.tool}${result.compacting ? ", while compacted" : ""}`,
      `${result.taken} of ${result.asked}`,
      `${result.restored} of ${result.taken}`,
      ...[result.keysExpected, result.keysBack, result.keysTwice, result.wrongVersions].map(count),
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
  const cores = `${availableParallelism()} cores of ${cpus()[0]?.model ?? "?"}, Node ${process.version}`;
  return `${cores}\n\n${count(rows)} rows in ${count(segments)} segments, 1 % new rows and 0.5 % deletes a day, a compaction a week\n\n${table}`;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function comparisonTable(result: BenchResult): string {
  const { cold, warm, incremental, rival } = result;
  const ratio = ratios(result);
  return textTable(
    ["from start to end of", "create", "restore"],
    [
      ["the execution, cold", seconds(cold.create.times.milliseconds), seconds(cold.restore.times.milliseconds)],
      ["the execution, warm", seconds(warm.create.times.milliseconds), seconds(warm.restore.times.milliseconds)],
      ["the command, cold", seconds(cold.create.commandMilliseconds), seconds(cold.restore.commandMilliseconds)],
      ["the command, warm", seconds(warm.create.commandMilliseconds), seconds(warm.restore.commandMilliseconds)],
      ["the execution, incremental, the first", seconds(incremental.first.times.milliseconds), ""],
      ["the execution, incremental, the second", seconds(incremental.second.times.milliseconds), ""],
      ["the command, incremental, the first", seconds(incremental.first.commandMilliseconds), ""],
      ["the command, incremental, the second", seconds(incremental.second.commandMilliseconds), ""],
      ...(rival ? [["the Go tool's command", seconds(rival.create), seconds(rival.restore)]] : []),
      ...(ratio ? [["times as fast (commands, warm)", ratio.create.toFixed(2), ratio.restore.toFixed(1)]] : []),
    ],
  );
}

function copyTable(rates: readonly CopyRate[]): string {
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
