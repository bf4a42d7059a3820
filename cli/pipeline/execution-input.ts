import type { Machine } from "../../src/core/execution/machines.ts";
import { jsonOrUndefined } from "../../src/core/execution/work-json.ts";
import { backupNameOf } from "../../src/core/plan/backup-name.ts";
import type { ExecutionDescription } from "../../src/ports/pipeline-executions.ts";

/** What an execution was started with; empty where somebody started it with something else. */
export function inputOf({ input }: Pick<ExecutionDescription, "input">): Readonly<Record<string, unknown>> {
  const parsed = jsonOrUndefined(input);
  return typeof parsed === "object" && parsed !== null ? { ...parsed } : {};
}

/** Which backup an execution is about, also one that a schedule names; undefined where its input is none. */
export function backupOf(
  execution: Pick<ExecutionDescription, "input" | "startedAt">,
  machine: Machine,
): string | undefined {
  const input = inputOf(execution);
  const text = (key: string) => (typeof input[key] === "string" ? { [key]: input[key] } : {});
  if (machine !== "backup") return text("backupName").backupName;
  try {
    const named = { ...text("backupName"), ...text("schedule"), ...text("scheduledTime") };
    return backupNameOf(named, execution.startedAt.toISOString());
  } catch {
    return undefined;
  }
}
