import type { Environment } from "../../src/core/environment/environment.ts";
import { type FinishedExecution, resultOf, transferResult } from "../pipeline/results.ts";
import { countOf, formatBytes, formatCount, formatDuration } from "./format.ts";
import { backupLocation } from "./location.ts";
import type { Summary } from "./summary.ts";
import { formatPairs } from "./table.ts";

/** How a transfer ended; throws ExecutionError where it failed. */
export function transferSummary(
  finished: FinishedExecution,
  { from, to }: { readonly from: Environment; readonly to: Environment },
): Summary {
  const result = resultOf(finished.execution, transferResult);
  const alreadyThere = result.outcome === "already-there";
  const { address, port } = to.backupStorage;
  const location = backupLocation(to, result.backupName);
  const document = {
    backupName: result.backupName,
    from: from.name,
    to: to.name,
    location,
    alreadyThere,
    collections: result.collections,
    segments: result.segments,
    objects: result.objects,
    bytes: result.bytes,
    skippedObjects: result.skippedObjects,
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
      ["lies in", `${location} at ${address}:${port}`],
      ["took", formatDuration(finished.milliseconds)],
    ]),
  ].join("\n");
  return { warnings: result.warnings, document, text };
}
