import type { Environment } from "../../src/core/environment/environment.ts";
import { milvusLayout } from "../../src/core/format/layout.ts";
import type { PlanTotals } from "../pipeline/progress.ts";
import { type FinishedExecution, restoreResult, resultOf } from "../pipeline/results.ts";
import { countOf, formatBytes, formatCount, formatDuration } from "./format.ts";
import type { Summary } from "./summary.ts";
import { formatPairs, formatTable } from "./table.ts";

/** How a restore ended; throws ExecutionError where it failed. */
export function restoreSummary(finished: FinishedExecution, environment: Environment): Summary {
  const { execution, progress, milliseconds } = finished;
  const result = resultOf(execution, restoreResult);
  if (result.outcome === "discarded") {
    const { backupName } = result;
    return {
      warnings: [],
      document: { backupName, environment: environment.name, discarded: true, executionArn: execution.arn },
      text: `What a failed restore of ${backupName} left behind is removed.`,
    };
  }
  if (result.outcome === "skipped") {
    const { backupName, warnings } = result;
    return {
      warnings,
      document: { backupName, environment: environment.name, skipped: true, warnings, executionArn: execution.arn },
      text: `Backup ${backupName} was not restored: this one or a newer one was restored there last.`,
    };
  }
  const layout = milvusLayout(environment.storage.rootPath);
  const collections = result.collections.map((collection) => ({
    ...collection,
    location: `${environment.storage.bucket}/${layout.collectionInsertLogs(collection.id)}`,
  }));
  const kept = collections.flatMap(({ replaced }) => replaced ?? []);
  const { segments, objects, bytes } = progress.copied;
  const document = {
    backupName: result.backupName,
    environment: environment.name,
    collections,
    ...(progress.totals && { segments: progress.totals.segments, bytes: progress.totals.bytes }),
    staged: { segments, objects, bytes },
    milliseconds,
    warnings: result.warnings,
    executionArn: execution.arn,
  };
  const table = formatTable(
    [
      { title: "FROM" },
      { title: "TO" },
      { title: "IN BACKUP", align: "right" },
      { title: "LEFT OUT", align: "right" },
      { title: "IMPORTED", align: "right" },
      { title: "ROWS", align: "right" },
      { title: "LOADED" },
      { title: "ID" },
      { title: "LIES IN" },
    ],
    collections.map(({ from, to, inBackup, leftOut, imported, rows, loaded, id, location }) => [
      from,
      to,
      ...[inBackup, leftOut, imported].map((count) => (count === undefined ? "?" : formatCount(BigInt(count)))),
      formatCount(BigInt(rows)),
      loaded ? "yes" : "no",
      id,
      location,
    ]),
  );
  const text = [
    `Restored ${countOf(collections.length, "collection")} of backup ${result.backupName}.`,
    ...(collections.length > 0 ? [table] : []),
    formatPairs([
      ["replaced", kept.length > 0 ? `${kept.join(", ")} (kept)` : undefined],
      ["segments", progress.totals && segmentsText(progress.totals)],
      ["staged", objects > 0 ? `${countOf(objects, "object")}, ${formatBytes(bytes)}` : undefined],
      ["took", formatDuration(milliseconds)],
    ]),
  ].join("\n");
  return { warnings: result.warnings, document, text };
}

function segmentsText({ segments, bytes }: PlanTotals): string {
  return formatCount(segments) + (bytes === undefined ? "" : `, ${formatBytes(bytes)}`);
}
