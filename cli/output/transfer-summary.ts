import { lockEnd } from "../../src/core/execution/object-lock.ts";
import type { DocumentOf } from "../documents/index.ts";
import { type FinishedExecution, resultOf, transferResult } from "../pipeline/results.ts";
import { countOf, formatBytes, formatCount, formatDuration } from "./format.ts";
import { type KnownEnvironment, knownLocation } from "./location.ts";
import type { Summary } from "./summary.ts";
import { formatPairs } from "./table.ts";

/** How a transfer ended; throws ExecutionError where it failed. */
export function transferSummary(
  finished: FinishedExecution,
  { from, to }: { readonly from: KnownEnvironment; readonly to: KnownEnvironment },
): Summary {
  const result = resultOf(finished.execution, transferResult);
  const alreadyThere = result.outcome === "already-there";
  const location = knownLocation(to, result.backupName);
  const document: DocumentOf<"copy"> = {
    kind: "copy",
    version: 1,
    state: "succeeded",
    outcome: result.outcome,
    backupName: result.backupName,
    fromEnvironment: from.name,
    toEnvironment: to.name,
    ...(location !== undefined && { location }),
    collectionCount: result.collections,
    segments: result.segments,
    objects: result.objects,
    bytes: result.bytes,
    skippedObjects: result.skippedObjects,
    ...(result.lock && { lock: result.lock }),
    milliseconds: finished.milliseconds,
    warnings: result.warnings,
    executionArn: finished.execution.arn,
  };
  const there = result.skippedObjects;
  const text = [
    alreadyThere
      ? `Backup ${result.backupName} is in ${to.name} already; it is the same, and complete.`
      : `Backup ${result.backupName} is copied from ${from.name} to ${to.name}.`,
    formatPairs([
      ["collections", formatCount(result.collections)],
      ["segments", formatCount(result.segments)],
      ["objects", `${formatCount(result.objects)}, ${formatBytes(result.bytes)}`],
      ["were there", there > 0 ? countOf(there, "object") : undefined],
      ["locked", result.lock && `until ${lockEnd(result.lock.until)} (${result.lock.mode})`],
      ["lies in", location && `${location} at ${to.backupStorage?.address}:${to.backupStorage?.port}`],
      ["took", formatDuration(finished.milliseconds)],
    ]),
  ].join("\n");
  return { document, text };
}
