import type { Environment } from "../../src/core/environment/environment.ts";
import { PipelineError } from "../../src/core/execution/errors.ts";
import { type VerifyInput, verifyInput } from "../../src/core/execution/messages.ts";
import { segmentsOf } from "../../src/core/format/meta.ts";
import { checkBackupName } from "../../src/core/milvus/names.ts";
import { readingCost } from "../../src/core/plan/estimate.ts";
import { findBackup } from "../../src/steps/shared/find-backup.ts";
import type { CliContext } from "../context.ts";
import { chosenEnvironment, registerEnvironments } from "../environments.ts";
import { CliError } from "../errors.ts";
import { countOf, formatBytes, formatDollars, formatMinutes } from "../output/format.ts";
import type { Output } from "../output/output.ts";
import { verifySummary } from "../output/verify-summary.ts";
import { readFindings } from "../pipeline/findings.ts";
import type { VerbRun } from "../verbs/verb.ts";
import { confirm } from "./confirm.ts";
import { runExecution } from "./run-execution.ts";

interface VerifyOptions {
  readonly name: string;
  /** true: all of it. */
  readonly readData?: true | string;
  /** true: all of them. */
  readonly rows?: true | string;
  readonly seal?: true;
  readonly yes?: true;
  readonly replace?: true;
  readonly detach?: true;
}

/** Looks whether a backup is what it was, through the pipeline. */
export async function verify(run: VerbRun<VerifyOptions>): Promise<number | undefined> {
  const { options, shared, output, context } = run;
  // Everything that can be wrong here is found before anything is started.
  const backupName = checkBackupName(options.name);
  const readData = percentOf(options.readData, "--read-data", "bytes");
  const rows = percentOf(options.rows, "--rows", "rows");
  const environment = await chosenEnvironment(context, shared);
  const input: VerifyInput = verifyInput.parse({
    environment: environment.name,
    backupName,
    ...(readData !== undefined && { readData }),
    ...(rows !== undefined && { rows }),
    ...(options.seal && { seal: true }),
  });
  const pipeline = await context.connections.pipeline(shared.stack);
  const percent = options.seal ? 100 : readData;
  const isRead = percent !== undefined || rows !== undefined;
  if (isRead) await tellCost(environment, backupName, { percent, rows }, output, context);
  if (isRead && !options.yes) {
    await confirm(context.terminal, "Read it?", { declined: "nothing was read: --yes reads without this question" });
  }
  const registry = await context.connections.environments(pipeline);
  const files = [{ environment, file: shared.config, option: "--environment" as const }];
  const replace = options.replace === true;
  if (shared.environment === undefined) await registerEnvironments(registry, files, output, { replace });
  const work = await context.connections.workStore(pipeline);
  return runExecution(run, pipeline, {
    machine: "verify",
    verb: "verify",
    backupName,
    input,
    summarize: async (finished) => verifySummary(finished, environment, await readFindings(work, finished.execution)),
  });
}

/**
 * `10%` or `10` as a number.
 * @throws Usage
 */
function percentOf(text: true | string | undefined, option: string, what: string): number | undefined {
  if (text === undefined) return undefined;
  if (text === true) return 100;
  const percent = Number(text.replace(/%$/, ""));
  if (/^\d+(\.\d+)?%?$/.test(text) && percent > 0 && percent <= 100) return percent;
  throw new CliError(
    "Usage",
    `${option}: ${JSON.stringify(text)} is no share of the ${what}; use ${option} alone for all of them, or ${option}=10% for a sample`,
  );
}

/** Says what reading will take, before anything is started. @throws BackupNotFound */
async function tellCost(
  environment: Environment,
  backupName: string,
  { percent, rows }: { readonly percent: number | undefined; readonly rows: number | undefined },
  output: Output,
  context: CliContext,
): Promise<void> {
  try {
    const size = await sizeOf(environment, backupName, context);
    const { objects, bytes, minutes, dollars } = readingCost(size, { percent, rows });
    output.note(
      `Reads ${countOf(objects, "object")}, ${formatBytes(bytes)}: ${formatMinutes(minutes, "about ")} and ${formatDollars(dollars)} on AWS ` +
        "(list prices of us-east-1; traffic between regions comes on top).",
    );
  } catch (error) {
    if (!(error instanceof PipelineError) || error.name === "BackupNotFound") throw error;
    // a damaged backup is what a verification is for, and these credentials may be others than the pipeline's
    output.warn(`what reading costs cannot be told from here: ${error.message}`);
  }
}

async function sizeOf(
  environment: Environment,
  backupName: string,
  { connections }: CliContext,
): Promise<{ objects: number; bytes: number }> {
  const store = await connections.openStore(environment, "backup");
  const stored = await findBackup(store, environment.backupStorage, backupName);
  const manifest = await stored.readManifest();
  if (manifest) return manifest;
  const { backup } = await (await stored.streamMetas()).outline();
  const segments = backup.collection_backups.flatMap((collection) => segmentsOf(collection));
  return {
    objects: segments.reduce((sum, { insertLogs, deltaLogs }) => sum + insertLogs + deltaLogs, 0),
    bytes: segments.reduce((sum, { size }) => sum + Number(size), 0),
  };
}
