import { styleText } from "node:util";
import prettyBytes from "pretty-bytes";
import type { CopyBundle } from "../measure/copy-bundle.ts";
import type { ExecutionTimes } from "../measure/state-times.ts";
import { textTable } from "../measure/text-table.ts";
import { seconds, timesTable } from "../measure/times-table.ts";
import { drawDigit } from "./digits.ts";
import type { Place } from "./places.ts";
import { type Comparison, type Hit, sameHit } from "./search.ts";

/** A headline. */
export function headline(text: string): string {
  return `\n${styleText("bold", `== ${text} `.padEnd(100, "="))}`;
}

export function indented(text: string, by = 2): string {
  return text
    .split("\n")
    .map((line) => `${" ".repeat(by)}${line}`.trimEnd())
    .join("\n");
}

/** A query digit with what both servers found next to it. */
export function comparisonText({ query, source, restored }: Comparison): string {
  const art = drawDigit(query);
  const table = textTable(
    ["", "A: label", "id", "distance", "", "B: label", "id", "distance", ""],
    source.map((hit, rank) => [
      `${rank + 1}.`,
      ...cellsOf(hit),
      "|",
      ...cellsOf(restored[rank]),
      sameHit(hit, restored[rank]) ? "same" : "DIFFERENT",
    ]),
  ).split("\n");
  const right = [`query: digit ${query.id}, a ${query.label}`, "", ...table];
  const lines = Math.max(art.length, right.length);
  return Array.from({ length: lines }, (_, line) => `${(art[line] ?? "").padEnd(30)}  ${right[line] ?? ""}`.trimEnd())
    .join("\n")
    .trimEnd();
}

function cellsOf(hit: Hit | undefined): string[] {
  return hit === undefined ? ["-", "-", "-"] : [String(hit.label), hit.id, hit.distance.toFixed(4)];
}

/** How many rows were where. */
export interface RowCounts {
  readonly inserted: number;
  readonly deleted: number;
  readonly source: number;
  readonly restored: number;
}

export function rowsText({ inserted, deleted, source, restored }: RowCounts): string {
  return textTable(
    ["rows", "count"],
    [
      ["inserted into Milvus A", count(inserted)],
      ["deleted there", count(deleted)],
      ["count(*) in Milvus A", count(source)],
      ["count(*) in Milvus B", count(restored)],
    ],
  );
}

export function placesText(places: readonly Place[]): string {
  return textTable(
    ["files", "objects", "size", "lie in"],
    places.map(({ what, objects, bytes, prefix }) => [what, count(objects), prettyBytes(bytes), prefix]),
    [0, 3],
  );
}

/** The figures of both machines and of the function that copies. */
export interface Measures {
  readonly backup: { readonly cold: ExecutionTimes; readonly warm: ExecutionTimes };
  readonly restore: { readonly cold: ExecutionTimes; readonly warm: ExecutionTimes };
  readonly bundle: CopyBundle;
}

export function measuresText({ backup, restore, bundle }: Measures): string {
  return [
    "Times in the states of both machines. Cold: every function starts in a new process; warm: a second run under another name.",
    timesTable("backup", backup.cold, backup.warm),
    timesTable("restore", restore.cold, restore.warm),
    `copy Lambda: ${prettyBytes(bundle.bytes)} in one file, initialised in ${seconds(bundle.initMilliseconds)}`,
  ].join("\n\n");
}

/** `10,000` */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}
