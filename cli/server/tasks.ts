import { createHash } from "node:crypto";
import type { Machine } from "../../src/core/execution/machines.ts";
import { parseQualifiedName } from "../../src/core/milvus/names.ts";
import type { ExecutionDescription, ExecutionStatus } from "../../src/ports/pipeline-executions.ts";
import { executionNames } from "../pipeline/execution-name.ts";
import type { Progress } from "../pipeline/progress.ts";
import { failureOf, restoreResult, resultOf } from "../pipeline/results.ts";
import { type BackupBrief, collectionTask, type RestoreTask, restoreTask, stateCodes } from "./answers.ts";

/** The machines whose executions are tasks of the API. */
export type TaskMachine = Extract<Machine, "backup" | "restore">;

/**
 * The name of the execution that has this ID: the ID itself, wherever it can be one, so that whoever looks for an ID needs nothing but
 * Step Functions, after a restart too.
 */
export function taskName(id: string): string {
  return executionNames.test(id) ? id : `id-${createHash("sha256").update(id).digest("hex").slice(0, 40)}`;
}

const codeOf: Readonly<Record<Exclude<ExecutionStatus, "running">, number>> = {
  succeeded: stateCodes.success,
  failed: stateCodes.fail,
  aborted: stateCodes.fail,
  "timed-out": stateCodes.timeout,
};

/** What is known of one execution. */
export interface FoundTask {
  /** As whoever asks calls it. */
  readonly id: string;
  readonly execution: ExecutionDescription;
  readonly progress: Progress;
}

/** The task's own fields of an answer. */
function taskOf(machine: TaskMachine, { id, execution, progress }: FoundTask) {
  const { status, startedAt, stoppedAt } = execution;
  const failure = status === "running" || status === "succeeded" ? undefined : failureOf(execution);
  const planned = progress.totals !== undefined;
  return {
    id,
    state_code: status === "running" ? (planned ? stateCodes.executing : stateCodes.initial) : codeOf[status],
    ...(failure && { errorMessage: `${failure.error}: ${failure.message}` }),
    start_time: secondsOf(startedAt),
    ...(stoppedAt && { end_time: secondsOf(stoppedAt) }),
    progress: status === "succeeded" ? 100 : failure ? 0 : percentOf(machine, progress),
  };
}

function secondsOf(time: Date): bigint {
  return BigInt(Math.floor(time.getTime() / 1000));
}

/** A backup as its execution tells it; its metas tell the rest. */
export function backupTask(found: FoundTask, name: string): Partial<BackupBrief> {
  return { ...taskOf("backup", found), name };
}

/** A restore, with the collections that it makes: all of them are as far as the whole is, and are there when it has succeeded. */
export function restoreTaskOf(found: FoundTask): RestoreTask {
  const { id: _, ...task } = taskOf("restore", found);
  const targets = found.progress.targets ?? resultsOf(found.execution);
  return restoreTask.create({
    id: found.id,
    ...task,
    collection_restore_tasks: targets.map((target) => {
      const { database, collection } = parseQualifiedName(target);
      return collectionTask.create({ ...task, target_db_name: database, target_collection_name: collection });
    }),
  });
}

function resultsOf(execution: ExecutionDescription): readonly string[] {
  if (execution.status !== "succeeded") return [];
  const result = resultOf(execution, restoreResult);
  return result.outcome === "restored" ? result.collections.map(({ to }) => to) : [];
}

/** Percent of the whole, never less than before: what is planned, copied (or staged), imported. Above 0, as nothing is said of 0. */
function percentOf(machine: TaskMachine, { totals, copied, restoring }: Progress): number {
  if (totals === undefined) return 1;
  const [done, all] = totals.bytes ? [copied.bytes, totals.bytes] : [copied.segments, totals.segments];
  const share = all === 0 ? 1 : Math.min(1, done / all);
  if (machine === "backup") return Math.floor(5 + 90 * share);
  if (restoring === undefined) return Math.floor(5 + 25 * share);
  return restoring.phase === "importing" ? Math.floor(30 + 0.65 * restoring.progress) : 97;
}
