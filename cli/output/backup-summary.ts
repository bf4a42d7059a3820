import type * as z from "zod";
import { lockEnd } from "../../src/core/execution/object-lock.ts";
import type { DocumentOf } from "../documents/index.ts";
import { backupResult, type FinishedExecution, resultOf } from "../pipeline/results.ts";
import { countOf, formatBytes, formatCount, formatDuration } from "./format.ts";
import { type KnownEnvironment, knownLocation } from "./location.ts";
import { rbacText } from "./rbac-text.ts";
import type { Summary } from "./summary.ts";
import { formatPairs } from "./table.ts";

/** How a backup ended; throws ExecutionError where it failed. */
export function backupSummary(finished: FinishedExecution, environment: KnownEnvironment): Summary {
  const result = resultOf(finished.execution, backupResult);
  const location = knownLocation(environment, result.backupName);
  const document: DocumentOf<"create"> = {
    kind: "create",
    version: 1,
    state: "succeeded",
    outcome: result.outcome,
    backupName: result.backupName,
    environment: environment.name,
    ...(location !== undefined && { location }),
    collectionCount: result.collections,
    segments: result.segments,
    objects: result.objects,
    bytes: result.bytes,
    ...(result.newObjects !== undefined && { newObjects: result.newObjects, newBytes: result.newBytes }),
    ...(result.lock && { lock: result.lock }),
    ...(result.rbac && { rbac: result.rbac }),
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
      ["of these new", newOf(result)],
      ["rbac", result.rbac && rbacText(result.rbac)],
      ["locked", result.lock && `until ${lockEnd(result.lock.until)} (${result.lock.mode})`],
      ["lies in", location],
      ["took", formatDuration(finished.milliseconds)],
    ]),
  ].join("\n");
  return { document, text };
}

/** What an incremental backup had to store; undefined for a plain one. */
function newOf({ newObjects, newBytes = 0, objects }: z.infer<typeof backupResult>): string | undefined {
  if (newObjects === undefined) return undefined;
  return `${formatCount(newObjects)}, ${formatBytes(newBytes)}; ${countOf(objects - newObjects, "object")} were stored already`;
}
