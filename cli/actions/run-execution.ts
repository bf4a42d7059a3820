import { randomBytes } from "node:crypto";
import type { Machine } from "../../src/core/execution/machines.ts";
import { executionArnOf } from "../../src/core/execution/state-machine-arn.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { PipelineExecutions } from "../../src/ports/pipeline-executions.ts";
import type { CliContext } from "../context.ts";
import { CliError, DetachedError, InterruptedStartError } from "../errors.ts";
import { aboutExecution, type StartedExecution } from "../output/execution-document.ts";
import type { Output } from "../output/output.ts";
import { createProgressDocument } from "../output/progress-document.ts";
import { createProgressLine, silentProgress } from "../output/progress-line.ts";
import { progressText } from "../output/progress-text.ts";
import { type Summary, showSummary } from "../output/summary.ts";
import { executionName } from "../pipeline/execution-name.ts";
import { aborted, followExecution } from "../pipeline/follow.ts";
import { createProgressReader } from "../pipeline/progress.ts";
import { durationOf, type FinishedExecution } from "../pipeline/results.ts";
import { machineArn, type Pipeline } from "../pipeline/stack.ts";
import type { VerbRun } from "../verbs/verb.ts";

/** What a verb starts, and how it sums up what came of it. */
interface ExecutionRequest {
  readonly machine: Machine;
  /** The first word of the execution's name. */
  readonly verb: string;
  readonly backupName: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** @throws ExecutionError where it failed */
  readonly summarize: (finished: FinishedExecution) => Summary | Promise<Summary>;
}

/**
 * Starts an execution under a readable name, then leaves (`--detach`) or shows its progress and how it ended.
 * @returns the exit code, where its summary has one
 * @throws Unfinished where its time is over before it is started, Interrupted at Ctrl-C
 */
export async function runExecution(
  { options, output, context, executionName: given, until }: VerbRun<{ readonly detach?: true }>,
  pipeline: Pipeline,
  { machine, verb, backupName, input, summarize }: ExecutionRequest,
): Promise<number | undefined> {
  const executions = await context.connections.executions();
  const name = given ?? executionName(verb, backupName, context.clock.now(), randomBytes(3).toString("hex"));
  if (until !== undefined && context.clock.now() >= until) {
    throw new CliError(
      "Unfinished",
      "what has to be looked at before it is started took too long (Milvus, the stores), and nothing was started: send it again",
    );
  }
  const request = { stateMachineArn: machineArn(pipeline, machine), name, input };
  const interrupt = listenForInterrupt(context.terminal);
  let finished: FinishedExecution;
  try {
    const executionArn = await startInterruptibly(executions, request, context.clock, interrupt.signal);
    const running: StartedExecution = { machine, arn: executionArn, name, input };
    if (options.detach) {
      output.result({ kind: "execution", version: 1, state: "running", ...aboutExecution(running) }, executionArn);
      return undefined;
    }
    finished = await watchExecution(context, output, pipeline, running, interrupt);
  } finally {
    interrupt.stopListening();
  }
  const summary = await summarize(finished);
  showSummary(output, summary);
  return summary.exitCode;
}

/** Ctrl-C, listened to from before an execution is started until it is over: it goes on without us, and the person must be told. */
interface Interrupt {
  readonly signal: AbortSignal;
  /** Ctrl-C ends the command again. */
  readonly stopListening: () => void;
}

function listenForInterrupt(terminal: CliContext["terminal"]): Interrupt {
  const interrupt = new AbortController();
  return { signal: interrupt.signal, stopListening: terminal.onInterrupt(() => interrupt.abort()) };
}

/** How long an answer may take after Ctrl-C that says whether the execution was started. */
const startGraceMilliseconds = 1_000;

/**
 * Starts an execution and answers its ARN.
 * @throws InterruptedStartError where it was left before that was known
 */
async function startInterruptibly(
  executions: PipelineExecutions,
  request: Parameters<PipelineExecutions["start"]>[0],
  clock: Clock,
  signal: AbortSignal,
): Promise<string> {
  const patience = aborted(signal).then(() => clock.sleep(startGraceMilliseconds));
  const executionArn = await Promise.race([executions.start(request), patience]);
  if (typeof executionArn === "string") return executionArn;
  const { name, stateMachineArn } = request;
  throw new InterruptedStartError(
    `left while it was being started, so that the execution ${name} may be running. See whether it is: milvus-backup status ${name}; ` +
      `stop it: milvus-backup stop ${name}`,
    executionArnOf(stateMachineArn, name),
  );
}

/**
 * Shows the progress of an execution until it is over. Ctrl-C leaves it running: throws DetachedError, which says how to see or
 * stop it.
 */
export async function watchExecution(
  context: CliContext,
  output: Output,
  pipeline: Pipeline,
  running: StartedExecution,
  interrupt: Interrupt = listenForInterrupt(context.terminal),
): Promise<FinishedExecution> {
  const { terminal, connections, clock } = context;
  const executions = await connections.executions();
  const { machine, name, arn: executionArn } = running;
  const reader = createProgressReader(() => connections.workStore(pipeline), machine, name);
  const line = output.quiet
    ? silentProgress
    : createProgressLine(terminal, { interactive: output.interactive, now: () => clock.now().getTime() });
  const describe = createProgressDocument();
  try {
    const execution = await followExecution({
      executions,
      reader,
      executionArn,
      clock,
      signal: interrupt.signal,
      quiet: output.quiet,
      onProgress(following) {
        const progress = describe(following);
        line.update(progress.phase, progressText(progress));
      },
    });
    if (execution === undefined) {
      throw new DetachedError(
        `left the execution running. See it: milvus-backup status ${name} --follow; stop it: milvus-backup stop ${name}`,
        { kind: "execution", version: 1, state: "running", ...aboutExecution(running) },
      );
    }
    interrupt.stopListening();
    // only a restore's summary tells something that nothing else does, what was staged; and of one that failed how far it came
    const wanted = machine === "restore" || execution.status !== "succeeded";
    const progress = wanted ? await reader.read() : reader.last;
    return { execution, progress, milliseconds: durationOf(execution) };
  } finally {
    line.stop();
    interrupt.stopListening();
  }
}
