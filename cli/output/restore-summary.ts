import type { RestoredCollection } from "../../src/core/execution/messages.ts";
import { exactCount } from "../../src/core/format/exact-count.ts";
import { milvusLayout } from "../../src/core/format/layout.ts";
import type { DocumentOf } from "../documents/index.ts";
import type { PlanTotals } from "../pipeline/progress.ts";
import { type FinishedExecution, restoreResult, resultOf } from "../pipeline/results.ts";
import { countOf, formatBytes, formatCount, formatDuration } from "./format.ts";
import type { KnownEnvironment } from "./location.ts";
import { restoredRbacText } from "./rbac-text.ts";
import type { Summary } from "./summary.ts";
import { formatPairs, formatTable } from "./table.ts";

/** How a restore ended; throws ExecutionError where it failed. */
export function restoreSummary(finished: FinishedExecution, environment: KnownEnvironment): Summary {
  const { execution, progress, milliseconds } = finished;
  const result = resultOf(execution, restoreResult);
  const { backupName } = result;
  const document = {
    kind: "restore",
    version: 1,
    state: "succeeded",
    outcome: result.outcome,
    backupName,
    environment: environment.name,
    collections: [],
    milliseconds,
    warnings: result.warnings ?? [],
    executionArn: execution.arn,
  } as const;
  if (result.outcome === "discarded") {
    const but = document.warnings.length > 0 ? ", but for what the warnings say" : "";
    return { document, text: `Nothing is left of a failed restore of ${backupName} under these names${but}.` };
  }
  if (result.outcome === "skipped") {
    const text = `Backup ${backupName} was not restored: this one or a newer one was restored there last.`;
    return { document, text };
  }
  const collections = result.collections.map((collection) => describeCollection(collection, environment));
  const inserted = collections.flatMap((collection) => collection.inserted ?? []);
  const kept = collections.flatMap(({ replaced }) => replaced ?? []);
  const { databases = [] } = result;
  const { segments, objects, bytes } = progress.copied;
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
      ...[inBackup, leftOut, imported].map((count) => (count === undefined ? "?" : formatCount(count))),
      formatCount(rows),
      loaded ? "yes" : "no",
      id,
      location ?? "?",
    ]),
  );
  const text = [
    `Restored ${countOf(collections.length, "collection")} of backup ${backupName}.`,
    ...(collections.length > 0 ? [table] : []),
    formatPairs([
      ["databases", databases.length > 0 ? `${databases.join(", ")} (without collections)` : undefined],
      ["replaced", kept.length > 0 ? `${kept.join(", ")} (kept)` : undefined],
      ["segments", progress.totals && segmentsText(progress.totals)],
      ["inserted", inserted.length > 0 ? insertedText(inserted) : undefined],
      ["rbac", result.rbac && restoredRbacText(result.rbac)],
      ["staged", objects > 0 ? `${countOf(objects, "object")}, ${formatBytes(bytes)}` : undefined],
      ["took", formatDuration(milliseconds)],
    ]),
  ].join("\n");
  const restored: DocumentOf<"restore"> = {
    ...document,
    collections,
    ...(databases.length > 0 && { databases }),
    ...(result.rbac && { rbac: result.rbac }),
    // whoever may not read the work bucket knows none of it
    ...(progress.totals && {
      segments: progress.totals.segments,
      ...(progress.totals.bytes !== undefined && { bytes: progress.totals.bytes }),
      staged: { segments, objects, bytes },
    }),
  };
  return { document: restored, text };
}

function describeCollection(collection: RestoredCollection, { storage }: KnownEnvironment) {
  const { from, to, id, loaded, replaced } = collection;
  const rowsOf = (rows: string) => exactCount(rows, `the rows of ${to}`);
  const { inBackup, leftOut, imported, inserted } = collection;
  return {
    from,
    to,
    id,
    rows: rowsOf(collection.rows),
    ...(inBackup !== undefined && { inBackup: rowsOf(inBackup) }),
    ...(leftOut !== undefined && { leftOut: rowsOf(leftOut) }),
    ...(imported !== undefined && { imported: rowsOf(imported) }),
    ...(inserted && { inserted: { partitions: inserted.partitions, rows: rowsOf(inserted.rows) } }),
    loaded,
    ...(replaced !== undefined && { replaced }),
    ...(storage && { location: `${storage.bucket}/${milvusLayout(storage.rootPath).collectionInsertLogs(id)}` }),
  };
}

function insertedText(inserted: readonly { readonly partitions: number; readonly rows: number }[]): string {
  const rows = inserted.reduce((sum, one) => sum + one.rows, 0);
  const partitions = inserted.reduce((sum, one) => sum + one.partitions, 0);
  return `${countOf(rows, "row")} of ${countOf(partitions, "small partition")}, in place of imported`;
}

function segmentsText({ segments, bytes }: PlanTotals): string {
  return formatCount(segments) + (bytes === undefined ? "" : `, ${formatBytes(bytes)}`);
}
