import type { Machine } from "../../src/core/execution/machines.ts";
import type { ExecutionDescription } from "../../src/ports/pipeline-executions.ts";
import type { DocumentOf } from "../documents/index.ts";
import { backupOf, inputOf } from "../pipeline/execution-input.ts";
import { durationOf } from "../pipeline/results.ts";

/** An execution as it was started. */
export interface StartedExecution {
  readonly machine: Machine;
  readonly arn: string;
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
}

type ExecutionDocument = DocumentOf<"execution">;

/** What an execution is about. */
export function aboutExecution({ machine, arn, name, input }: StartedExecution) {
  const text = (key: string) => (typeof input[key] === "string" ? input[key] : undefined);
  const [environment, from, to, backupName] = ["environment", "from", "to", "backupName"].map(text);
  return {
    executionArn: arn,
    executionName: name,
    machine,
    ...(backupName !== undefined && { backupName }),
    ...(environment !== undefined && { environment }),
    ...(from !== undefined && { fromEnvironment: from }),
    ...(to !== undefined && { toEnvironment: to }),
    input,
  };
}

/** When an execution began and ended, and how. */
export function timesOf(execution: Pick<ExecutionDescription, "status" | "startedAt" | "stoppedAt">) {
  const { status, startedAt, stoppedAt } = execution;
  return {
    state: status,
    startedAt: startedAt.toISOString(),
    ...(stoppedAt && { stoppedAt: stoppedAt.toISOString(), milliseconds: durationOf(execution) }),
  };
}

/** An execution as Step Functions describes it; `more` is what its files and its end tell. */
export function executionDocument(
  execution: ExecutionDescription,
  machine: Machine,
  more: Pick<ExecutionDocument, "step" | "progress" | "result" | "error"> = {},
): ExecutionDocument {
  const about = aboutExecution({ machine, arn: execution.arn, name: execution.name, input: inputOf(execution) });
  const backupName = backupOf(execution, machine);
  return {
    kind: "execution",
    version: 1,
    ...about,
    ...(backupName !== undefined && { backupName }),
    ...timesOf(execution),
    ...more,
  };
}
