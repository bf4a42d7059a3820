import { PipelineError } from "../../src/core/execution/errors.ts";
import type { ObjectStore } from "../../src/ports/object-store.ts";
import type { ExecutionDescription } from "../../src/ports/pipeline-executions.ts";
import type { EnvironmentRegistry } from "../../src/ports/step-context.ts";
import type { DocumentOf } from "../documents/index.ts";
import { backupSummary } from "../output/backup-summary.ts";
import { drillSummary } from "../output/drill-summary.ts";
import { aboutExecution, executionDocument, type StartedExecution } from "../output/execution-document.ts";
import { exportSummary } from "../output/export-summary.ts";
import { formatDuration, formatTime } from "../output/format.ts";
import type { KnownEnvironment } from "../output/location.ts";
import { createProgressDocument } from "../output/progress-document.ts";
import { progressText } from "../output/progress-text.ts";
import { restoreSummary } from "../output/restore-summary.ts";
import type { Summary } from "../output/summary.ts";
import { formatPairs } from "../output/table.ts";
import { transferSummary } from "../output/transfer-summary.ts";
import { verifySummary } from "../output/verify-summary.ts";
import { inputOf } from "../pipeline/execution-input.ts";
import { findExecution } from "../pipeline/find-execution.ts";
import { readFindings } from "../pipeline/findings.ts";
import { createProgressReader } from "../pipeline/progress.ts";
import { durationOf, type FinishedExecution, failureOf } from "../pipeline/results.ts";
import type { VerbRun } from "../verbs/verb.ts";
import { watchExecution } from "./run-execution.ts";

/** Shows one execution, or follows it until it is over; answers exit code 1 for one that failed, was stopped or timed out. */
export async function status(run: VerbRun<{ readonly follow?: true }>): Promise<number> {
  const {
    options,
    arguments: [name = ""],
    shared,
    output,
    context,
  } = run;
  const pipeline = await context.connections.pipeline(shared.stack);
  const executions = await context.connections.executions();
  const { machine, execution: found } = await findExecution(executions, pipeline, name);
  const started = { machine, arn: found.arn, name: found.name, input: inputOf(found) };
  const finished: FinishedExecution = options.follow
    ? await watchExecution(context, output, pipeline, started)
    : {
        execution: found,
        progress: await createProgressReader(() => context.connections.workStore(pipeline), machine, found.name).read(),
        milliseconds: durationOf(found),
      };
  const { execution } = finished;
  const step = await executions.currentState(execution.arn);
  const progress = createProgressDocument()({ state: step, progress: finished.progress });
  const registry = await context.connections.environments(pipeline);
  const summary = await summaryOf(finished, started, registry, () => context.connections.workStore(pipeline));
  const over = execution.status !== "running";
  const failure = over && execution.status !== "succeeded" ? failureOf(execution) : undefined;
  const document = executionDocument(execution, machine, {
    ...(step !== undefined && { step }),
    ...(execution.status !== "succeeded" && { progress }),
    ...(summary && { result: summary.document }),
    ...(failure && { error: { name: failure.error, message: failure.message } }),
  });
  for (const warning of summary?.document.warnings ?? []) output.warn(warning);
  const parts = options.follow && summary ? [] : [describe(execution, document)];
  output.result(document, [...parts, ...(summary ? [summary.text] : [])].join("\n\n"));
  return failure ? 1 : 0;
}

function describe(execution: ExecutionDescription, document: DocumentOf<"execution">): string {
  const { executionName, machine, backupName, state, step, progress, error } = document;
  return formatPairs(
    [
      ["execution", executionName],
      ["machine", machine],
      ["backup", backupName],
      ["state", state],
      ["step", step],
      ["progress", progress && progressText(progress)],
      ["started", formatTime(execution.startedAt)],
      ["took", execution.stoppedAt && formatDuration(durationOf(execution))],
      ["input", execution.input],
      ["error", error && `${error.name}: ${error.message}`],
    ],
    "",
  );
}

/**
 * What came of an execution that succeeded, or found that a backup is damaged, as the verb shows it that starts such an execution; undefined
 * for any other.
 */
async function summaryOf(
  finished: FinishedExecution,
  started: StartedExecution,
  registry: Pick<EnvironmentRegistry, "get">,
  work: () => Promise<ObjectStore>,
): Promise<Summary | undefined> {
  const about = aboutExecution(started);
  const known = (name = "") => knownEnvironment(registry, name);
  const findings =
    started.machine === "verify" && finished.execution.status === "failed"
      ? await readFindings(await work(), finished.execution)
      : undefined;
  if (finished.execution.status !== "succeeded" && findings === undefined) return undefined;
  switch (started.machine) {
    case "backup":
      return backupSummary(finished, await known(about.environment));
    case "drill":
      return drillSummary(finished);
    case "export":
      return exportSummary(finished, started.input);
    case "restore":
      return restoreSummary(finished, await known(about.environment));
    case "transfer":
      return transferSummary(finished, {
        from: await known(about.fromEnvironment),
        to: await known(about.toEnvironment),
      });
    case "verify":
      return verifySummary(finished, await known(about.environment), findings);
  }
}

/** Only its name where it is not registered any more. */
async function knownEnvironment(registry: Pick<EnvironmentRegistry, "get">, name: string): Promise<KnownEnvironment> {
  try {
    return await registry.get(name);
  } catch (error) {
    const gone = error instanceof PipelineError && ["UnknownEnvironment", "InvalidEnvironment"].includes(error.name);
    if (gone) return { name };
    throw error;
  }
}
