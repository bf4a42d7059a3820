import type { Machine } from "../../src/core/execution/machines.ts";
import { workLayout } from "../../src/core/execution/work-layout.ts";
import { executionDocument, timesOf } from "../output/execution-document.ts";
import { formatDuration, formatTime } from "../output/format.ts";
import { formatTable } from "../output/table.ts";
import { findExecution } from "../pipeline/find-execution.ts";
import { durationOf } from "../pipeline/results.ts";
import { deployedMachines, machineArn } from "../pipeline/stack.ts";
import type { VerbRun } from "../verbs/verb.ts";

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
      { title: "STATE" },
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
  const listed = newestFirst.map(({ name: executionName, arn: executionArn, machine, ...it }) => ({
    executionName,
    executionArn,
    machine,
    ...timesOf(it),
  }));
  output.result(
    { kind: "executions", version: 1, stack: pipeline.stack, executions: listed },
    newestFirst.length === 0 ? "The pipeline has not run yet." : table,
  );
}

/** Stops an execution; what it copied is kept. */
export async function stop({ arguments: [name = ""], shared, output, context }: VerbRun<unknown>): Promise<void> {
  const pipeline = await context.connections.pipeline(shared.stack);
  const executions = await context.connections.executions();
  const { execution, machine } = await findExecution(executions, pipeline, name);
  if (execution.status !== "running") {
    output.result(executionDocument(execution, machine), `Execution ${execution.name} is over: ${execution.status}.`);
    return;
  }
  // Copies under way outlive their execution; they look for this mark before each segment.
  const work = await context.connections.workStore(pipeline);
  await work.putText(workLayout(machine, execution.name).cancel, "stopped by hand\n");
  await executions.stop(execution.arn, "stopped with milvus-backup stop");
  const kept = keptOf(machine);
  const stopped = executionDocument({ ...execution, status: "aborted" }, machine);
  output.result(stopped, `Execution ${execution.name} is stopped. ${kept}`);
}

/** What becomes of what an execution did before it was stopped. */
function keptOf(machine: Machine): string {
  if (machine === "drill") return "What it made is removed by the next drill, or by drill --clean.";
  if (machine === "verify")
    return "It changed nothing that a backup holds: the same command looks at everything again.";
  if (machine === "export")
    return "Files it wrote stay, without a manifest: the same command again goes on from there.";
  const discard = machine === "restore" ? ", and restore --discard removes it" : "";
  return `What it copied is kept: the same command again goes on from there${discard}.`;
}
