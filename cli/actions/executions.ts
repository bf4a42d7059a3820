import { backupInput, restoreInput } from "../../src/core/execution/messages.ts";
import { workLayout } from "../../src/core/execution/work-layout.ts";
import type { CliContext } from "../context.ts";
import { backupSummary } from "../output/backup-summary.ts";
import { formatDuration, formatTime } from "../output/format.ts";
import { restoreSummary } from "../output/restore-summary.ts";
import { type Summary, showSummary } from "../output/summary.ts";
import { formatPairs, formatTable } from "../output/table.ts";
import { type FoundExecution, findExecution } from "../pipeline/find-execution.ts";
import { durationOf, type FinishedExecution, failureOf } from "../pipeline/results.ts";
import { deployedMachines, machineArn, type Pipeline } from "../pipeline/stack.ts";
import type { VerbRun } from "../verbs/verb.ts";
import { watchExecution } from "./run-execution.ts";

/** Lists the newest executions of the pipeline. */
export async function list({ options, shared, output, context }: VerbRun<{ limit: number }>): Promise<void> {
  const pipeline = await context.connections.pipeline(shared.stack);
  const executions = await context.connections.executions();
  const found = await Promise.all(
    deployedMachines(pipeline).map(async (machine) =>
      (await executions.list(machineArn(pipeline, machine), options.limit)).map((it) => ({ machine, ...it })),
    ),
  );
  const newestFirst = found.flat().sort((a, b) => b.startedAt.getTime() - a.startedAt.getTime());
  const table = formatTable(
    [
      { title: "EXECUTION" },
      { title: "MACHINE" },
      { title: "STATUS" },
      { title: "STARTED" },
      { title: "TOOK", align: "right" },
    ],
    newestFirst.map((it) => [
      it.name,
      it.machine,
      it.status,
      formatTime(it.startedAt),
      it.stoppedAt ? formatDuration(durationOf(it)) : "-",
    ]),
  );
  output.result(
    { stack: pipeline.stack, executions: newestFirst },
    newestFirst.length === 0 ? "The pipeline has not run yet." : table,
  );
}

/** Shows one execution, or follows it until it is over. */
export async function status({ options, arguments: [name = ""], shared, output, context }: VerbRun<{ follow?: true }>) {
  const pipeline = await context.connections.pipeline(shared.stack);
  const executions = await context.connections.executions();
  const found = await findExecution(executions, pipeline, name);
  const { execution, machine } = found;
  if (options.follow) {
    const finished = await watchExecution(context, output, pipeline, machine, execution.arn);
    showSummary(output, await summaryOf(found, finished, context, pipeline));
    return;
  }
  const ended = execution.status === "running" ? undefined : execution;
  const failure = ended && ended.status !== "succeeded" ? failureOf(ended) : undefined;
  const state = await executions.currentState(execution.arn);
  const document = {
    name: execution.name,
    executionArn: execution.arn,
    machine,
    status: execution.status,
    state,
    startedAt: execution.startedAt.toISOString(),
    ...(execution.stoppedAt && { stoppedAt: execution.stoppedAt.toISOString() }),
    input: JSON.parse(execution.input),
    ...(execution.output !== undefined && { output: JSON.parse(execution.output) }),
    ...(failure && { error: { name: failure.error, message: failure.message } }),
  };
  const text = formatPairs(
    [
      ["execution", execution.name],
      ["machine", machine],
      ["status", execution.status],
      ["state", state],
      ["started", formatTime(execution.startedAt)],
      ["took", ended && formatDuration(durationOf(ended))],
      ["input", execution.input],
      ["error", failure && `${failure.error}: ${failure.message}`],
    ],
    "",
  );
  output.result(document, text);
}

/** How an execution that was followed ended. */
async function summaryOf(
  { machine, execution: { input } }: FoundExecution,
  finished: FinishedExecution,
  context: CliContext,
  pipeline: Pipeline,
): Promise<Summary> {
  const registry = await context.connections.environments(pipeline);
  if (machine === "backup") {
    return backupSummary(finished, await registry.get(backupInput.parse(JSON.parse(input)).environment));
  }
  if (machine === "restore") {
    return restoreSummary(finished, await registry.get(restoreInput.parse(JSON.parse(input)).environment));
  }
  const { execution } = finished;
  if (execution.status !== "succeeded") throw failureOf(execution);
  const document = JSON.parse(execution.output ?? "{}");
  return { warnings: [], document, text: `Execution ${execution.name} succeeded.` };
}

/** Stops an execution; what it copied is kept. */
export async function stop({ arguments: [name = ""], shared, output, context }: VerbRun<unknown>): Promise<void> {
  const pipeline = await context.connections.pipeline(shared.stack);
  const executions = await context.connections.executions();
  const { execution, machine } = await findExecution(executions, pipeline, name);
  if (execution.status !== "running") {
    output.result(
      { name: execution.name, status: execution.status },
      `Execution ${execution.name} is over: ${execution.status}.`,
    );
    return;
  }
  // Copies under way outlive their execution; they look for this mark before each segment.
  const work = await context.connections.workStore(pipeline);
  await work.putText(workLayout(machine, execution.name).cancel, "stopped by hand\n");
  await executions.stop(execution.arn, "stopped with milvus-backup stop");
  output.result(
    { name: execution.name, status: "aborted" },
    `Execution ${execution.name} is stopped. What it copied is kept: the same command again goes on from there${machine === "restore" ? ", and restore --discard removes it" : ""}.`,
  );
}
