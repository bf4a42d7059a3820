import { closeSync, openSync, readSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { pageMark } from "../../src/page/document.ts";
import { type Report, renderReport } from "../../src/page/render.ts";
import { readBackupReport } from "../../src/steps/report/backup.ts";
import { readExecutionReport } from "../../src/steps/report/execution.ts";
import { readRootReport } from "../../src/steps/report/root.ts";
import type { CliContext } from "../context.ts";
import { chosenEnvironment } from "../environments.ts";
import { CliError } from "../errors.ts";
import { countOf, formatBytes } from "../output/format.ts";
import { backupLocation } from "../output/location.ts";
import { findExecution } from "../pipeline/find-execution.ts";
import { failureOf } from "../pipeline/results.ts";
import type { VerbRun } from "../verbs/verb.ts";

interface ReportOptions {
  readonly name?: string;
  readonly execution?: string;
  readonly out: string;
  readonly force?: true;
}

/** Writes a page about all backups, one backup or one execution; with `--json` what it would show, and no page. */
export async function report(run: VerbRun<ReportOptions>): Promise<void> {
  const { options, output, context } = run;
  const toFile = options.out !== "-" && !output.json;
  // Before anything is read: what would be in vain is refused at once.
  if (toFile && !options.force) checkReplaceable(options.out);
  const made = await makeReport(run);
  for (const warning of "warnings" in made ? made.warnings : []) output.warn(warning);
  if (output.json) {
    output.result(made, "");
    return;
  }
  const page = await renderReport(made);
  if (!toFile) {
    context.terminal.stdout.write(page);
    return;
  }
  replaceFile(options.out, page);
  output.result(made, `${options.out}: ${aboutOf(made)} (${formatBytes(Buffer.byteLength(page))})`);
}

async function makeReport(run: VerbRun<ReportOptions>): Promise<Report> {
  const { options, shared, context } = run;
  const now = context.clock.now();
  if (options.execution !== undefined) return reportOfExecution(run, options.execution, now);
  const environment = await chosenEnvironment(context, shared);
  const store = await context.connections.openStore(environment, "backup");
  const { rootPath } = environment.backupStorage;
  if (options.name !== undefined) {
    const { name } = options;
    return readBackupReport(store, { rootPath, name, location: backupLocation(environment, name) }, now);
  }
  const place = { environment: environment.name, backupStorage: environment.backupStorage };
  return readRootReport(store, place, await deploymentOf(run, context), now);
}

async function reportOfExecution(
  { shared, context }: VerbRun<ReportOptions>,
  name: string,
  now: Date,
): Promise<Report> {
  const pipeline = await context.connections.pipeline(shared.stack);
  const executions = await context.connections.executions();
  const { execution, machine } = await findExecution(executions, pipeline, name);
  const isOver = execution.status !== "running" && execution.status !== "succeeded";
  const failure = isOver ? failureOf(execution) : undefined;
  const work = await context.connections.workStore(pipeline);
  return readExecutionReport({ machine, execution, failure }, { executions, work }, now);
}

/** Without a pipeline the backups are there all the same: only what schedules promise is not known then. */
async function deploymentOf({ shared, output }: VerbRun<ReportOptions>, context: CliContext) {
  try {
    const { backupStateMachineArn, schedules } = await context.connections.pipeline(shared.stack);
    return { stateMachine: backupStateMachineArn, promises: schedules };
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    output.note(`What schedules promise is not in the report: ${error.message}`);
    return undefined;
  }
}

function aboutOf(made: Report): string {
  if (made.kind === "root-report") {
    const { backupCount } = made.totals;
    return backupCount === 0
      ? `there are no backups in ${made.location}`
      : `${countOf(backupCount, "backup")} in ${made.location}`;
  }
  return made.kind === "backup-report" ? `backup ${made.backupName}` : `execution ${made.executionName}`;
}

/** @throws Usage where a file is there that is no report of ours */
function checkReplaceable(file: string): void {
  let head: string;
  try {
    head = headOf(file);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT") return;
    const problem = code === "EISDIR" ? "is a directory" : `cannot be read (${code ?? "unknown error"})`;
    throw new CliError("Usage", `--out: ${file} ${problem}: name a file, such as --out report.html`, { cause });
  }
  if (head === "" || head.includes(pageMark)) return;
  throw new CliError(
    "Usage",
    `--out: ${file} is there and is no report: name another file, or add --force to replace it`,
  );
}

function headOf(file: string): string {
  const descriptor = openSync(file, "r");
  try {
    const buffer = Buffer.alloc(200);
    return buffer.toString("utf8", 0, readSync(descriptor, buffer));
  } finally {
    closeSync(descriptor);
  }
}

/** Whole or not at all: who looks at the file meanwhile sees the one before. */
function replaceFile(file: string, text: string): void {
  const part = join(dirname(file), `.${basename(file)}.${process.pid}.part`);
  try {
    writeFileSync(part, text);
    renameSync(part, file);
  } catch (cause) {
    rmSync(part, { force: true });
    const code = (cause as NodeJS.ErrnoException).code ?? "unknown error";
    throw new CliError("Usage", `--out: ${file} cannot be written (${code}): name a file in a folder that is there`, {
      cause,
    });
  }
}
