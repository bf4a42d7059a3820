import { type Command, Option } from "commander";
import { workLayout } from "../../src/core/execution/work-layout.ts";
import { CliError } from "../errors.ts";
import type { FoundExecution } from "../pipeline/find-execution.ts";
import { examples, type VerbHost, type VerbRun } from "./verb.ts";

/** Adds `executions`, `status` and `stop`: what the pipeline is doing and did, whoever started it. */
export function addExecutions(program: Command, host: VerbHost): void {
  program
    .command("executions")
    .description("list the newest executions of the pipeline")
    .addOption(new Option("--limit <count>", "how many of each state machine").default(10).argParser(parseLimit))
    .action(host.action(list));
  program
    .command("status")
    .description("show one execution")
    .argument("<execution>", "its name or ARN")
    .addOption(new Option("--follow", "show its progress until it is over; exit code 1 where it fails"))
    .addHelpText(
      "after",
      examples(["after Ctrl-C, or create --detach", "status create-my_backup-20261121T110307-3f9c2a --follow"]),
    )
    .action(host.action(status));
  program
    .command("stop")
    .description("stop an execution; what it copied is kept, and the same command goes on from there")
    .argument("<execution>", "its name or ARN")
    .action(host.action(stop));
}

async function list({ options, shared, output, context }: VerbRun<{ limit: number }>): Promise<void> {
  const [{ deployedMachines, machineArn }, { formatTable }, format, { durationOf }] = await Promise.all([
    import("../pipeline/stack.ts"),
    import("../output/table.ts"),
    import("../output/format.ts"),
    import("../pipeline/run.ts"),
  ]);
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
      format.formatTime(it.startedAt),
      it.stoppedAt ? format.formatDuration(durationOf(it)) : "-",
    ]),
  );
  output.result(
    { stack: pipeline.stack, executions: newestFirst },
    newestFirst.length === 0 ? "The pipeline has not run yet." : table,
  );
}

async function status({ options, arguments: [name = ""], shared, output, context }: VerbRun<{ follow?: true }>) {
  const [{ findExecution }, run, { formatPairs }, format, { failureOf }] = await Promise.all([
    import("../pipeline/find-execution.ts"),
    import("../pipeline/run.ts"),
    import("../output/table.ts"),
    import("../output/format.ts"),
    import("../pipeline/results.ts"),
  ]);
  const pipeline = await context.connections.pipeline(shared.stack);
  const executions = await context.connections.executions();
  const found = await findExecution(executions, pipeline, name);
  if (options.follow) return follow(found);

  const { execution, machine } = found;
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
      ["started", format.formatTime(execution.startedAt)],
      ["took", ended && format.formatDuration(run.durationOf(ended))],
      ["input", execution.input],
      ["error", failure && `${failure.error}: ${failure.message}`],
    ],
    "",
  );
  output.result(document, text);

  async function follow({ execution, machine }: FoundExecution): Promise<void> {
    const finished = await run.watchExecution(context, output, pipeline, machine, execution.arn);
    const { backupInput, restoreInput } = await import("../../src/core/execution/messages.ts");
    const registry = await context.connections.environments(pipeline);
    if (machine === "backup") {
      const { showBackup } = await import("../output/backup-summary.ts");
      showBackup(output, await registry.get(backupInput.parse(JSON.parse(execution.input)).environment), finished);
    } else if (machine === "restore") {
      const { showRestore } = await import("../output/restore-summary.ts");
      showRestore(output, await registry.get(restoreInput.parse(JSON.parse(execution.input)).environment), finished);
    } else {
      if (finished.execution.status !== "succeeded") throw failureOf(finished.execution);
      output.result(JSON.parse(finished.execution.output ?? "{}"), `Execution ${execution.name} succeeded.`);
    }
  }
}

async function stop({ arguments: [name = ""], shared, output, context }: VerbRun<unknown>): Promise<void> {
  const { findExecution } = await import("../pipeline/find-execution.ts");
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

function parseLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new CliError("Usage", `--limit: ${JSON.stringify(text)} is not a number from 1 to 1000`);
  }
  return limit;
}
