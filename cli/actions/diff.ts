import type { FateCounts } from "../../src/steps/rows/diff-rows.ts";
import { RowsDiffer } from "../../src/steps/rows/diff-rows.ts";
import { CliError } from "../errors.ts";
import { countOption, splitList } from "../options.ts";
import { formatCount, formatInstant } from "../output/format.ts";
import { formatTable } from "../output/table.ts";
import { openRows } from "../rows.ts";
import type { VerbRun } from "../verbs/verb.ts";

interface DiffOptions {
  readonly name: readonly string[];
  readonly collections: string;
  readonly partitions?: string;
  readonly keys: string;
}

/** Shows what happened to the rows of a collection between two backups. */
export async function diff(run: VerbRun<DiffOptions>): Promise<void> {
  const { options, output } = run;
  const [earlier, later, ...more] = options.name;
  if (earlier === undefined || later === undefined || more.length > 0) {
    throw new CliError("Usage", `diff compares two backups, not ${options.name.length}: use -n monday -n tuesday`);
  }
  const limit = countOption("--keys", options.keys);
  const partitions = options.partitions === undefined ? undefined : splitList("--partitions", options.partitions);
  const [first, second] = await openRows(run, [earlier, later], options.collections);
  if (first === undefined || second === undefined) throw new RangeError("two backups were opened");
  const differ = new RowsDiffer([first, second], { partitions });
  const found = await differ.compare();
  if (found.notCompared.length > 0) {
    output.warn(
      `not compared, as one of the backups does not have them, or with another type: ${found.notCompared.join(", ")}`,
    );
  }
  // only --json shows them, and they cost a second reading
  const keys = output.json ? await differ.keys(limit) : { added: [], changed: [], removed: [] };
  const counts = [...found.partitions].sort(([a], [b]) => (a < b ? -1 : 1));
  output.result(
    {
      kind: "diff",
      version: 1,
      collection: first.name,
      earlier: { backupName: earlier, ...(first.instant && { instant: first.instant }) },
      later: { backupName: later, ...(second.instant && { instant: second.instant }) },
      total: found.total,
      partitions: counts.map(([partition, of]) => ({ partition, ...of })),
      notCompared: found.notCompared,
      keys,
      keysComplete: (["added", "changed", "removed"] as const).every((fate) => keys[fate].length === found.total[fate]),
    },
    [
      `${first.name}: ${asOf(earlier, first.instant)} -> ${asOf(later, second.instant)}`,
      "",
      formatCounts([["all", found.total], ...(counts.length > 1 ? counts : [])]),
    ].join("\n"),
  );
  const { added, changed, removed } = found.total;
  if (!output.json && added + changed + removed > 0) output.note("Which rows that are: the same with --json.");
}

function asOf(backup: string, instant: { readonly time: string } | undefined): string {
  return instant === undefined ? backup : `${backup} (as of ${formatInstant(new Date(instant.time))})`;
}

function formatCounts(rows: readonly (readonly [string, FateCounts])[]): string {
  return formatTable(
    [
      { title: "PARTITION" },
      ...(["ADDED", "CHANGED", "REMOVED", "SAME"] as const).map((title) => ({ title, align: "right" as const })),
    ],
    rows.map(([name, { added, changed, removed, same }]) => [
      name,
      ...[added, changed, removed, same].map(formatCount),
    ]),
  );
}
