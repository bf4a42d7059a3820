import type { Environment } from "../../src/core/environment/environment.ts";
import { backupLayout } from "../../src/core/format/layout.ts";
import { resultOf, transferResult } from "../pipeline/results.ts";
import type { FinishedExecution } from "../pipeline/run.ts";
import { countOf, formatBytes, formatCount, formatDuration } from "./format.ts";
import type { Output } from "./output.ts";
import { formatPairs } from "./table.ts";

/** Shows how a transfer ended; throws ExecutionError where it failed. */
export function showTransfer(
  output: Output,
  environments: { readonly from: Environment; readonly to: Environment },
  finished: FinishedExecution,
): void {
  const { from, to } = environments;
  const result = resultOf(finished.execution, transferResult);
  const alreadyThere = result.outcome === "already-there";
  const { address, port, bucket, rootPath } = to.backupStorage;
  const location = `${bucket}/${backupLayout(rootPath, result.backupName).root}`;
  for (const warning of result.warnings) output.warn(warning);
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
  output.result(document, text);
}
