import type { Environment } from "../../src/core/environment/environment.ts";
import { backupLayout } from "../../src/core/format/layout.ts";
import { backupResult, resultOf } from "../pipeline/results.ts";
import type { FinishedExecution } from "../pipeline/run.ts";
import { formatBytes, formatCount, formatDuration } from "./format.ts";
import type { Output } from "./output.ts";
import { formatPairs } from "./table.ts";

/** Shows how a backup ended; throws ExecutionError where it failed. */
export function showBackup(output: Output, environment: Environment, finished: FinishedExecution): void {
  const result = resultOf(finished.execution, backupResult);
  const { bucket, rootPath } = environment.backupStorage;
  const location = `${bucket}/${backupLayout(rootPath, result.backupName).root}`;
  for (const warning of result.warnings) output.warn(warning);
  const document = {
    backupName: result.backupName,
    environment: environment.name,
    location,
    collections: result.collections,
    segments: result.segments,
    objects: result.objects,
    bytes: result.bytes,
    milliseconds: finished.milliseconds,
    warnings: result.warnings,
    executionArn: finished.execution.arn,
  };
  const text = [
    `Backup ${result.backupName} is complete.`,
    formatPairs([
      ["collections", formatCount(result.collections)],
      ["segments", formatCount(result.segments)],
      ["objects", `${formatCount(result.objects)}, ${formatBytes(result.bytes)}`],
      ["lies in", location],
      ["took", formatDuration(finished.milliseconds)],
    ]),
  ].join("\n");
  output.result(document, text);
}
