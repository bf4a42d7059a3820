import type { DocumentOf } from "../documents/index.ts";
import { exportResult, type FinishedExecution, resultOf } from "../pipeline/results.ts";
import { countOf, formatBytes, formatCount, formatDuration } from "./format.ts";
import type { Summary } from "./summary.ts";
import { formatPairs } from "./table.ts";

/** How an export ended; throws ExecutionError where it failed. @param input that it was started with */
export function exportSummary(finished: FinishedExecution, input: Readonly<Record<string, unknown>>): Summary {
  const { execution, milliseconds } = finished;
  const result = resultOf(execution, exportResult);
  const { backupName, format, destination, collections, rows, leftOut, files, bytes, warnings } = result;
  const { environment, toEnvironment } = input;
  const document: DocumentOf<"export"> = {
    kind: "export",
    version: 1,
    state: "succeeded",
    outcome: result.outcome,
    backupName,
    environment: String(environment),
    ...(typeof toEnvironment === "string" && { toEnvironment }),
    destination,
    format,
    collectionCount: collections,
    rows,
    leftOut,
    files,
    bytes,
    milliseconds,
    warnings,
    executionArn: execution.arn,
  };
  const text = [
    `Exported ${countOf(rows, "row")} of backup ${backupName} as ${format}.`,
    formatPairs([
      ["collections", formatCount(collections)],
      ["files", `${formatCount(files)}, ${formatBytes(bytes)}`],
      ["left out", leftOut > 0 ? `${countOf(leftOut, "row")}: deleted, or later than the backup's instant` : undefined],
      ["lie in", destination],
      ["took", formatDuration(milliseconds)],
    ]),
  ].join("\n");
  return { document, text };
}
