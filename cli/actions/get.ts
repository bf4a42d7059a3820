import { stateMachineOf } from "../../src/core/execution/state-machine-arn.ts";
import type { Claim } from "../../src/core/format/claim.ts";
import { parseJson } from "../../src/core/format/lossless-json.ts";
import { backupInfo, withoutSecrets } from "../../src/core/format/meta.ts";
import { getBackup, outlineBackup } from "../../src/steps/catalog/get-backup.ts";
import { findUnfinished, unfinishedState } from "../../src/steps/catalog/unfinished-backup.ts";
import type { CliContext } from "../context.ts";
import { chosenEnvironment } from "../environments.ts";
import { CliError } from "../errors.ts";
import { backupDocument, formatBackup } from "../output/backup-document.ts";
import { backupLocation } from "../output/location.ts";
import type { Output } from "../output/output.ts";
import { createProgressDocument, type ProgressDocument } from "../output/progress-document.ts";
import { formatUnfinished, unfinishedDocument } from "../output/unfinished-backup.ts";
import { createProgressReader } from "../pipeline/progress.ts";
import { machineOf } from "../pipeline/stack.ts";
import type { VerbRun } from "../verbs/verb.ts";

interface GetOptions {
  readonly name: string;
  readonly detail?: true;
}

/** Shows what is in a backup; answers exit code 1 for one that is none yet, or none any more, and says why. */
export async function get({ options, shared, output, context }: VerbRun<GetOptions>): Promise<number> {
  const environment = await chosenEnvironment(context, shared);
  const store = await context.connections.openStore(environment, "backup");
  const { rootPath } = environment.backupStorage;
  const location = backupLocation(environment, options.name);
  const unfinished = await findUnfinished(store, { rootPath }, options.name);
  if (unfinished) {
    const { claim } = unfinished;
    const holder = claim && (await askHolder(claim, shared.stack, output, context));
    const state = unfinishedState(claim, context.clock.now(), holder?.state);
    const about = { backupName: options.name, location, progress: holder?.progress };
    const document = unfinishedDocument(state, claim, about);
    output.result(document, formatUnfinished(document));
    return 1;
  }
  if (options.detail) {
    const found = await getBackup(store, rootPath, options.name);
    for (const warning of found.warnings) output.warn(warning);
    output.record(parseJson(backupInfo.print(withoutSecrets(found.backup)), "full_meta.json"));
    return 0;
  }
  const found = await outlineBackup(store, rootPath, options.name, { now: context.clock.now() });
  for (const warning of found.warnings) output.warn(warning);
  const document = backupDocument(found, location);
  output.result(document, formatBackup(document));
  return 0;
}

/** Whether the execution that has a claim runs, and how far it is; undefined where it is none of the pipeline's, or nobody can be asked. */
async function askHolder(
  { holder }: Claim,
  stack: string,
  output: Output,
  context: CliContext,
): Promise<{ readonly state: "running" | "over"; readonly progress?: ProgressDocument } | undefined> {
  if (!holder.startsWith("arn:")) return undefined;
  try {
    const pipeline = await context.connections.pipeline(stack);
    const machine = machineOf(pipeline, stateMachineOf(holder));
    if (machine === undefined) return undefined;
    const executions = await context.connections.executions();
    const execution = await executions.describe(holder);
    if (execution?.status !== "running") return { state: "over" };
    const reader = createProgressReader(() => context.connections.workStore(pipeline), machine, execution.name);
    const progress = await reader.read();
    const state = await executions.currentState(holder);
    return { state: "running", progress: createProgressDocument()({ state, progress }) };
  } catch (error) {
    // what a backup is needs no pipeline
    if (!(error instanceof CliError)) throw error;
    output.note(`How far its execution is cannot be asked: ${error.message}`);
    return undefined;
  }
}
