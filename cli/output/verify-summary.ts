import type { FinalizeVerifyResult } from "../../src/core/execution/messages.ts";
import { shortList } from "../../src/core/execution/short-list.ts";
import { tellRows } from "../../src/core/format/proof.ts";
import { tellCounts, tellProblem } from "../../src/core/plan/verify.ts";
import type { DocumentOf } from "../documents/index.ts";
import type { Findings } from "../pipeline/findings.ts";
import { type FinishedExecution, resultOf, verifyResult } from "../pipeline/results.ts";
import { countOf, formatBytes, formatCount, formatDuration } from "./format.ts";
import { type KnownEnvironment, knownLocation } from "./location.ts";
import type { Summary } from "./summary.ts";
import { formatPairs } from "./table.ts";

/** As many problems are shown to people; the document has all. */
const shownProblems = 200;

/**
 * How a verification ended: also one that found problems is no error of the command, but ends it with 1.
 * @param findings what is wrong with the backup, where that is why it failed
 * @throws ExecutionError where it could not look
 */
export function verifySummary(
  finished: FinishedExecution,
  environment: KnownEnvironment,
  findings: Findings | undefined,
): Summary {
  const { execution, milliseconds } = finished;
  const result = findings ?? resultOf(execution, verifyResult);
  const { backupName, depth, percent, rows, objects, bytes, readObjects, readBytes, bySize, warnings } = result;
  const location = knownLocation(environment, backupName);
  const problems = findings?.problems ?? [];
  const document: DocumentOf<"verify"> = {
    kind: "verify",
    version: 1,
    state: findings ? "failed" : "succeeded",
    outcome: findings ? "failed" : result.outcome === "sealed" ? "sealed" : "passed",
    backupName,
    environment: environment.name,
    ...(location !== undefined && { location }),
    depth,
    percent,
    ...(rows && {
      rows: {
        ...rows,
        collections: rows.collections.map((counted) => ({ name: counted.collection, ...counted })),
      },
    }),
    objects,
    bytes,
    readObjects,
    readBytes,
    bySize,
    problems: problems.map(({ key, kind, detail }) => ({ key, problem: kind, detail })),
    warnings,
    executionArn: execution.arn,
    milliseconds,
  };
  const head = findings
    ? `Backup ${backupName} is damaged: ${tellCounts(findings.counts)}.`
    : result.outcome === "sealed"
      ? `Backup ${backupName} has a manifest now: from here on its contents are compared.`
      : `Backup ${backupName} is what it was, as far as was looked: ${lookedAt(result)}.`;
  const named = shortList(problems.map(tellProblem), { limit: shownProblems, separator: "\n  " });
  const text = [
    head,
    ...(findings ? [`  ${named}`] : []),
    ...(problems.length > shownProblems ? ["  (--json lists all of them)"] : []),
    formatPairs([
      ["objects", `${formatCount(objects)}, ${formatBytes(bytes)}`],
      ["read", readObjects > 0 ? `${countOf(readObjects, "object")}, ${formatBytes(readBytes)}` : undefined],
      ["rows", rows && tellCounted(rows)],
      ["by size only", bySize > 0 ? countOf(bySize, "object") : undefined],
      ["lies in", location],
      ["took", formatDuration(milliseconds)],
    ]),
  ].join("\n");
  return { document, text, ...(findings && { exitCode: 1 }) };
}

function tellCounted({ percent, segments, rows, living }: NonNullable<FinalizeVerifyResult["rows"]>): string {
  const share = percent === 100 ? "all" : `${percent} %`;
  return `${formatCount(rows)} of ${countOf(segments, "segment")} (${share}), ${formatCount(living)} of them living`;
}

/** How much was looked at, in a few words. */
function lookedAt(looked: Pick<FinalizeVerifyResult, "percent" | "depth" | "rows" | "objects" | "bySize">): string {
  const { depth, percent, objects, bySize } = looked;
  if (depth === "rows") return "every content and every row";
  if (depth === "content") return `every content${tellRows(looked)}`;
  // A backup without a manifest has no checksums that the store's could be compared with.
  if (depth === "size" && bySize >= objects) return `keys and sizes${tellRows(looked)}`;
  const contents = depth === "sample" ? `${percent} % of the contents` : "the store's checksums";
  return `keys, sizes and ${contents}${tellRows(looked)}`;
}
