import { type ExportFormat, type ExportInput, exportInput } from "../../src/core/execution/messages.ts";
import { checkBackupName, parseCollectionSelector } from "../../src/core/milvus/names.ts";
import { checkDestination, parseDestination } from "../../src/core/plan/export-destination.ts";
import { chosenEnvironment, registerEnvironments } from "../environments.ts";
import { type SelectionOptions, selectedCollections } from "../options.ts";
import { exportSummary } from "../output/export-summary.ts";
import type { VerbRun } from "../verbs/verb.ts";
import { runExecution } from "./run-execution.ts";

interface ExportOptions extends SelectionOptions {
  readonly name: string;
  readonly to: string;
  readonly toEnvironment?: string;
  readonly format: ExportFormat;
  readonly replace?: true;
  readonly detach?: true;
}

/** Writes the rows of a backup as files, through the pipeline. */
export async function exportBackup(run: VerbRun<ExportOptions>): Promise<void> {
  const { options, shared, output, context } = run;
  // Everything that can be wrong here is found before anything is started.
  const backupName = checkBackupName(options.name);
  const collections = selectedCollections(options);
  for (const selector of collections ?? []) parseCollectionSelector(selector);
  const environment = await chosenEnvironment(context, shared);
  const pipeline = await context.connections.pipeline(shared.stack);
  const registry = await context.connections.environments(pipeline);
  const { toEnvironment } = options;
  const to = toEnvironment === undefined ? environment : await registry.get(toEnvironment);
  checkDestination(parseDestination(options.to, to.backupStorage), to.backupStorage, [environment, to]);
  const files = [{ environment, file: shared.config, option: "--environment" as const }];
  const replace = options.replace === true;
  if (shared.environment === undefined) await registerEnvironments(registry, files, output, { replace });
  const input: ExportInput = exportInput.parse({
    environment: environment.name,
    backupName,
    destination: options.to,
    ...(toEnvironment !== undefined && { toEnvironment }),
    format: options.format,
    ...(collections && { collections }),
  });
  await runExecution(run, pipeline, {
    machine: "export",
    verb: "export",
    backupName,
    input,
    summarize: (finished) => exportSummary(finished, input),
  });
}
