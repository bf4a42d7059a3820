import { type RestoreInput, restoreInput } from "../../src/core/execution/messages.ts";
import { checkRestoreOptions } from "../../src/core/execution/restore-conflicts.ts";
import {
  checkBackupName,
  checkSuffix,
  parseCollectionSelector,
  parseTargetSelector,
} from "../../src/core/milvus/names.ts";
import { parseRenames as checkRenames } from "../../src/core/milvus/renames.ts";
import type { RestorePlanFile } from "../../src/core/plan/restore-plan-file.ts";
import {
  checkDistinctNames,
  chosenEnvironment,
  type EnvironmentFile,
  readEnvironmentFile,
  registerEnvironments,
  registeredIn,
} from "../environments.ts";
import { CliError } from "../errors.ts";
import { parseRenames, type SelectionOptions, selectedCollections, splitList } from "../options.ts";
import { restoreSummary } from "../output/restore-summary.ts";
import { readRestorePlan } from "../restore-plan.ts";
import type { VerbRun } from "../verbs/verb.ts";
import { checkBeforeRestore } from "./detach-checks.ts";
import { runExecution } from "./run-execution.ts";

interface RestoreOptions extends SelectionOptions {
  readonly name: string;
  readonly suffix?: string;
  readonly rename?: string;
  /** Its file, or what a request has of it. */
  readonly plan?: string | RestorePlanFile;
  readonly from?: string;
  readonly fromEnvironment?: string;
  readonly dropExisting?: true;
  readonly keepReplaced?: true;
  readonly skipCreate?: true;
  readonly metadataOnly?: true;
  readonly rbac?: true;
  readonly shards?: string;
  readonly maxShards?: string;
  readonly description?: string;
  readonly useAutoIndex?: true;
  readonly skipProperties?: string;
  readonly skipFieldParams?: string;
  readonly skipIndexParams?: string;
  readonly rebuildIndex?: true;
  readonly dropExistIndex?: true;
  readonly index: boolean;
  readonly load: boolean;
  readonly verify?: RestoreInput["verify"];
  readonly signedBy?: string;
  readonly smallPartitions?: RestoreInput["smallPartitions"];
  readonly discard?: true;
  readonly estimate?: true;
  readonly confirm?: string;
  readonly replace?: true;
  readonly detach?: true;
}

/** Restores collections through the pipeline. */
export async function restore(run: VerbRun<RestoreOptions>): Promise<void> {
  const { options, shared, output, context } = run;
  // Everything that can be wrong here is found before anything is started.
  const backupName = checkBackupName(options.name);
  // What it filters has its new names already, as in milvus-backup.
  const { filter, ...selection } = options;
  const collections = selectedCollections(selection);
  collections?.forEach(parseCollectionSelector);
  const targets = filter === undefined ? undefined : splitList("--filter", filter);
  targets?.forEach(parseTargetSelector);
  const plan = options.plan === undefined ? {} : readRestorePlan(options.plan);
  const renames = options.rename === undefined ? undefined : parseRenames(options.rename);
  if (renames) checkRenames(renames);
  if (options.suffix !== undefined) checkSuffix(options.suffix);
  const environment = await chosenEnvironment(context, shared);
  const source = options.from === undefined ? undefined : readEnvironmentFile(options.from, "--from");
  if (source) checkDistinctNames(environment, source, "--from");
  const from = source?.name ?? options.fromEnvironment;
  const input: RestoreInput = restoreInput.parse({
    environment: environment.name,
    backupName,
    ...(from !== undefined && { from }),
    ...(collections && { collections }),
    ...(options.suffix !== undefined && { suffix: options.suffix }),
    ...(renames && { renames }),
    ...(targets && { targets }),
    ...plan,
    ...(options.dropExisting && { dropExisting: true }),
    ...(options.keepReplaced && { keepReplaced: true }),
    ...(options.skipCreate && { skipCreate: true, ...existingIndexes(options) }),
    ...(options.metadataOnly && { metadataOnly: true }),
    ...(options.rbac && { rbac: true }),
    ...overrides(options),
    ...(!options.index && { indexes: false }),
    ...(!options.load && { load: false }),
    ...(options.verify && { verify: options.verify }),
    ...(options.signedBy !== undefined && { signedBy: keyArn(options.signedBy) }),
    ...(options.smallPartitions && { smallPartitions: options.smallPartitions }),
    ...(options.discard && { discard: true }),
    ...(options.confirm !== undefined && { confirm: options.confirm }),
  });
  checkRestoreOptions(input);
  if (options.estimate) {
    const other = source ?? (await registeredIn(context, shared.stack, options.fromEnvironment));
    const { estimateOfRestore } = await import("./estimate.ts");
    return estimateOfRestore({ environment, from: other ?? environment, input }, run);
  }

  const pipeline = await context.connections.pipeline(shared.stack);
  const registry = await context.connections.environments(pipeline);
  const files: EnvironmentFile[] = [];
  if (shared.environment === undefined) files.push({ environment, file: shared.config, option: "--environment" });
  if (source) files.push({ environment: source, file: options.from ?? "", option: "--from-environment" });
  await registerEnvironments(registry, files, output, { replace: options.replace === true });
  const named = options.fromEnvironment === undefined ? undefined : await registry.get(options.fromEnvironment);
  if (options.detach) await checkBeforeRestore(run, { environment, from: source ?? named ?? environment }, input);
  await runExecution(run, pipeline, {
    machine: "restore",
    verb: "restore",
    backupName,
    input,
    summarize: (finished) => restoreSummary(finished, environment),
  });
}

/** Of collections that are made nothing has to be said: they have the indexes of the backup, and no others. */
function existingIndexes(options: RestoreOptions): Pick<RestoreInput, "existingIndexes"> {
  if (options.dropExistIndex) return { existingIndexes: "replace" };
  return options.rebuildIndex ? { existingIndexes: "add" } : {};
}

/** What makes collections otherwise than they were, as the pipeline takes it. */
function overrides(options: RestoreOptions): Partial<RestoreInput> {
  const list = (key: "skipProperties" | "skipFieldParams" | "skipIndexParams", option: string) => {
    const text = options[key];
    return text === undefined ? {} : { [key]: splitList(option, text) };
  };
  return {
    ...(options.shards !== undefined && { shards: shardCount("--shards", options.shards) }),
    ...(options.maxShards !== undefined && { maxShards: shardCount("--max-shards", options.maxShards) }),
    ...(options.description !== undefined && { description: options.description }),
    ...(options.useAutoIndex && { autoIndex: true }),
    ...list("skipProperties", "--skip-properties"),
    ...list("skipFieldParams", "--skip-field-params"),
    ...list("skipIndexParams", "--skip-index-params"),
  };
}

function keyArn(text: string): string {
  const parsed = restoreInput.shape.signedBy.safeParse(text);
  if (parsed.success) return text;
  throw new CliError("Usage", `--signed-by: ${JSON.stringify(text)} ${parsed.error.issues[0]?.message}`);
}

function shardCount(option: string, text: string): number {
  const { data } = restoreInput.shape.shards.safeParse(/^\d+$/.test(text) ? Number(text) : Number.NaN);
  if (data !== undefined) return data;
  throw new CliError(
    "Usage",
    `${option}: ${JSON.stringify(text)} is no number of shards; use a whole number from 1 on`,
  );
}
