import * as z from "zod";
import { readFailure } from "../../src/core/execution/failure.ts";
import { machineResults } from "../../src/core/execution/messages.ts";
import type { ExecutionDescription } from "../../src/ports/pipeline-executions.ts";
import { ExecutionError } from "../errors.ts";
import type { Progress } from "./progress.ts";

/** How a followed execution ended, and what its files said last. */
export interface FinishedExecution {
  readonly execution: ExecutionDescription;
  readonly progress: Progress;
  /** From its start to its end, by Step Functions' own clock. */
  readonly milliseconds: number;
}

/** Milliseconds from start to end; 0 while it is running. */
export function durationOf(execution: Pick<ExecutionDescription, "startedAt" | "stoppedAt">): number {
  return execution.stoppedAt === undefined ? 0 : execution.stoppedAt.getTime() - execution.startedAt.getTime();
}

const { backedUp, drilled, drillsCleaned, exported, restored, discarded, skipped, transferred, verified } =
  machineResults;

/** The deployed pipeline may be of another version: what is not needed here may be absent, what is not known is left out. */
const warnings = backedUp.shape.warnings.default([]);

/** Output of the machine `backup`: what Finalize Backup answered. */
export const backupResult = backedUp.extend({ warnings });

/** Output of the machine `drill`: what Clean Drill answered, or that what earlier ones left is removed. */
export const drillResult = z.discriminatedUnion("outcome", [
  drilled.extend({ warnings }),
  drillsCleaned.extend({ warnings }),
]);

/** Output of the machine `export`: what Finalize Export answered. */
export const exportResult = exported.extend({ warnings });

/** Output of the machine `restore`: what Finish Restore answered, or that a failed restore was discarded, or a trigger's skipped. */
export const restoreResult = z.discriminatedUnion("outcome", [
  restored.omit({ waitSeconds: true }).extend({ warnings }),
  discarded.pick({ outcome: true, backupName: true, warnings: true }),
  skipped.pick({ outcome: true, backupName: true, warnings: true }),
]);

/** Output of the machine `transfer`: what Finalize Transfer answered. */
export const transferResult = transferred.extend({ warnings });

/** Output of the machine `verify`: what Finalize Verify answered. */
export const verifyResult = verified.extend({ warnings });

/** The output of an execution that succeeded; throws ExecutionError for one that did not. */
export function resultOf<T extends z.ZodType>(execution: ExecutionDescription, schema: T): z.infer<T> {
  if (execution.status !== "succeeded") throw failureOf(execution);
  const parsed = schema.safeParse(JSON.parse(execution.output ?? "null"));
  if (!parsed.success) {
    throw new ExecutionError(
      "UnknownOutput",
      `the execution succeeded with an output this version does not know: is the deployed pipeline of another version? ${execution.output ?? ""}`,
      execution.arn,
    );
  }
  return parsed.data;
}

/** What emulators and Step Functions call an error whose own name they do not know: it tells a person nothing. */
const generalNames: ReadonlySet<string> = new Set(["Runtime.HandlerError", "States.TaskFailed", "Error", "Unknown"]);

/** Why an execution did not succeed, in the pipeline's own words. */
export function failureOf(execution: ExecutionDescription): ExecutionError {
  switch (execution.status) {
    case "timed-out":
      return new ExecutionError("States.Timeout", "the execution ran into its time limit", execution.arn);
    case "aborted":
      return new ExecutionError("Stopped", execution.cause || "the execution was stopped", execution.arn);
    default: {
      const failure = readFailure({ Error: execution.error ?? "Unknown", Cause: execution.cause ?? "" });
      const name = generalNames.has(failure.error) ? "ExecutionFailed" : failure.error;
      return new ExecutionError(name, failure.message, execution.arn);
    }
  }
}
