import { randomBytes } from "node:crypto";
import type { Machine } from "../../src/core/execution/machines.ts";
import type { ExecutionDescription } from "../../src/ports/pipeline-executions.ts";
import type { CliContext } from "../context.ts";
import { DetachedError } from "../errors.ts";
import type { Output } from "../output/output.ts";
import { createProgressLine, silentProgress } from "../output/progress-line.ts";
import { createProgressText } from "../output/progress-text.ts";
import { executionName } from "./execution-name.ts";
import { followExecution } from "./follow.ts";
import { createProgressReader, type Progress } from "./progress.ts";
import { machineArn, type Pipeline } from "./stack.ts";

/** How a followed execution ended, and what its files said last. */
export interface FinishedExecution {
  readonly execution: ExecutionDescription;
  readonly progress: Progress;
  /** From its start to its end, by Step Functions' own clock. */
  readonly milliseconds: number;
}

/** Starts an execution under a readable name; answers its ARN. */
export async function startExecution(
  context: CliContext,
  pipeline: Pipeline,
  request: { machine: Machine; verb: string; backupName: string; input: object },
): Promise<string> {
  const executions = await context.connections.executions();
  const name = executionName(request.verb, request.backupName, context.clock.now(), randomBytes(3).toString("hex"));
  return executions.start({ stateMachineArn: machineArn(pipeline, request.machine), name, input: request.input });
}

/**
 * Shows the progress of an execution until it is over. Ctrl-C leaves it running: throws DetachedError, which says how to see or
 * stop it.
 */
export async function watchExecution(
  context: CliContext,
  output: Output,
  pipeline: Pipeline,
  machine: Machine,
  executionArn: string,
): Promise<FinishedExecution> {
  const { terminal, connections, clock } = context;
  const [executions, work] = await Promise.all([connections.executions(), connections.workStore(pipeline)]);
  const name = executionNameOf(executionArn);
  const reader = createProgressReader(work, machine, name);
  const line = output.quiet
    ? silentProgress
    : createProgressLine(terminal, { interactive: output.interactive, now: () => clock.now().getTime() });
  const describe = createProgressText();
  const interrupt = new AbortController();
  const stopListening = terminal.onInterrupt(() => interrupt.abort());
  try {
    const execution = await followExecution({
      executions,
      reader,
      executionArn,
      clock,
      signal: interrupt.signal,
      onProgress(following) {
        const { phase, text } = describe(following);
        line.update(phase, text);
      },
    });
    if (execution === undefined) {
      throw new DetachedError(
        `left the execution running. See it: milvus-backup status ${name} --follow; stop it: milvus-backup stop ${name}`,
        executionArn,
      );
    }
    const progress = await reader.read();
    return { execution, progress, milliseconds: durationOf(execution) };
  } finally {
    line.stop();
    stopListening();
  }
}

/** The name at the end of an execution's ARN. */
export function executionNameOf(executionArn: string): string {
  return executionArn.slice(executionArn.lastIndexOf(":") + 1);
}

/** Milliseconds from start to end; 0 while it is running. */
export function durationOf(execution: Pick<ExecutionDescription, "startedAt" | "stoppedAt">): number {
  return execution.stoppedAt === undefined ? 0 : execution.stoppedAt.getTime() - execution.startedAt.getTime();
}
