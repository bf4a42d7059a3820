import { exactCount } from "../../src/core/format/exact-count.ts";
import type { DocumentOf } from "../documents/index.ts";
import { drillResult, type FinishedExecution, resultOf } from "../pipeline/results.ts";
import { countOf, formatCount, formatDuration } from "./format.ts";
import type { Summary } from "./summary.ts";
import { formatPairs, formatTable } from "./table.ts";

type DrilledDocument = DocumentOf<"drill">["collections"][number];

/** How a drill ended; throws ExecutionError where it failed. */
export function drillSummary({ execution, milliseconds }: FinishedExecution): Summary {
  const result = resultOf(execution, drillResult);
  const common = { kind: "drill", version: 1, state: "succeeded", milliseconds, executionArn: execution.arn } as const;
  if (result.outcome === "cleaned") {
    const { drills, warnings } = result;
    const text = drills === 0 ? "There was nothing to remove." : `What ${countOf(drills, "drill")} left is removed.`;
    return { document: { ...common, outcome: "cleaned", collections: [], cleanedCount: drills, warnings }, text };
  }
  const { backupName, environment, rtoSeconds, rpoSeconds } = result;
  const collections = result.collections.map(
    ({ from, to, id, rows, counted, compared, fields, searched }): DrilledDocument => ({
      ...{ from, to, id, rows: exactCount(rows, `the rows of ${to}`) },
      ...(counted !== undefined && { countedRows: exactCount(counted, `the rows of ${to}`) }),
      ...{ comparedRows: compared, fields },
      searches: searched.map(({ queries, found, ...search }) => ({
        ...search,
        queryCount: queries,
        foundCount: found,
      })),
    }),
  );
  const leftOut = result.collections.flatMap((it) => it.leftOut.map((what) => `${it.from}: ${what}`));
  const document = {
    ...common,
    outcome: "drilled",
    ...{ backupName, environment },
    ...(rtoSeconds !== undefined && { rtoSeconds }),
    ...(rpoSeconds !== undefined && { rpoSeconds }),
    collections,
    warnings: [...result.warnings, ...leftOut],
  } as const;
  const table = formatTable(
    [
      { title: "COLLECTION" },
      { title: "ROWS", align: "right" },
      { title: "COUNTED", align: "right" },
      { title: "COMPARED", align: "right" },
      { title: "FOUND THEMSELVES" },
      { title: "RECALL" },
    ],
    collections.map(({ from, rows, countedRows, comparedRows, searches }) => [
      from,
      formatCount(rows),
      countedRows === undefined ? "-" : formatCount(countedRows),
      countOf(comparedRows, "row"),
      listed(searches, ({ field, foundCount, queryCount }) => `${field} ${foundCount}/${queryCount}`),
      listed(searches, ({ field, recall }) => `${field} ${Math.round(recall * 100)} %`),
    ]),
  );
  const text = [
    `Backup ${backupName} was restored into ${environment}, answered, and what was made is dropped again.`,
    ...(collections.length > 0 ? [table] : []),
    formatPairs([
      ["RTO", rtoSeconds === undefined ? undefined : `${formatDuration(rtoSeconds * 1000)} until it answered searches`],
      [
        "RPO",
        rpoSeconds === undefined ? undefined : `${formatDuration(rpoSeconds * 1000)}, the age of the backup's instant`,
      ],
      ["took", formatDuration(milliseconds)],
    ]),
  ].join("\n");
  return { document, text };
}

type Search = DrilledDocument["searches"][number];

function listed(searches: readonly Search[], text: (search: Search) => string): string {
  return searches.map(text).join(", ") || "-";
}
