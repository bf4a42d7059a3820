import { type DrillInput, drillInput } from "../../src/core/execution/messages.ts";
import { checkBackupName, parseCollectionSelector } from "../../src/core/milvus/names.ts";
import {
  checkDistinctNames,
  chosenEnvironment,
  type EnvironmentFile,
  readEnvironmentFile,
  registerEnvironments,
} from "../environments.ts";
import { CliError } from "../errors.ts";
import { type SelectionOptions, selectedCollections } from "../options.ts";
import { drillSummary } from "../output/drill-summary.ts";
import type { VerbRun } from "../verbs/verb.ts";
import { runExecution } from "./run-execution.ts";

interface DrillOptions extends SelectionOptions {
  readonly name?: string;
  readonly pick?: "newest" | "random";
  readonly of?: string;
  readonly into?: string;
  readonly intoEnvironment?: string;
  readonly clean?: true;
  readonly confirm?: string;
  readonly replace?: true;
  readonly detach?: true;
}

/** Restores a backup through the pipeline to see that it can be restored. */
export async function drill(run: VerbRun<DrillOptions>): Promise<void> {
  const { options, shared, output, context } = run;
  // Everything that can be wrong here is found before anything is started.
  if (options.name !== undefined) {
    checkBackupName(options.name);
    const chooses = (["pick", "of"] as const).find((key) => options[key] !== undefined);
    if (chooses) throw new CliError("Usage", `--${chooses} chooses a backup, and -n names one: leave one of them out`);
  }
  const collections = selectedCollections(options);
  collections?.forEach(parseCollectionSelector);
  const from = await chosenEnvironment(context, shared);
  const file = options.into === undefined ? undefined : readEnvironmentFile(options.into, "--into");
  if (file) checkDistinctNames(from, file, "--into");
  const into = file?.name ?? options.intoEnvironment ?? from.name;
  const parsed = drillInput.safeParse({
    environment: into,
    ...(into !== from.name && { from: from.name }),
    ...(options.name !== undefined && { backupName: options.name }),
    ...(options.of !== undefined && { of: options.of }),
    ...(options.pick && { pick: options.pick }),
    ...(collections && { collections }),
    ...(options.clean && { clean: true }),
    ...(options.confirm !== undefined && { confirm: options.confirm }),
  });
  // Only the name of a schedule can be wrong by now.
  if (!parsed.success) throw new CliError("Usage", `--of: ${parsed.error.issues[0]?.message ?? "is no schedule"}`);
  const input: DrillInput = parsed.data;

  const pipeline = await context.connections.pipeline(shared.stack);
  const registry = await context.connections.environments(pipeline);
  const files: EnvironmentFile[] = [];
  if (shared.environment === undefined) files.push({ environment: from, file: shared.config, option: "--environment" });
  if (file) files.push({ environment: file, file: options.into ?? "", option: "--into-environment" });
  await registerEnvironments(registry, files, output, { replace: options.replace === true });
  if (options.intoEnvironment !== undefined) await registry.get(options.intoEnvironment);
  const subject = options.clean ? "clean" : (options.name ?? options.of ?? options.pick ?? "newest");
  await runExecution(run, pipeline, {
    machine: "drill",
    verb: "drill",
    backupName: subject,
    input,
    summarize: drillSummary,
  });
}
