import { type RestoreInput, restoreInput } from "../../src/core/execution/messages.ts";
import {
  checkBackupName,
  checkMilvusName,
  parseCollectionSelector,
  parseQualifiedName,
} from "../../src/core/milvus/names.ts";
import {
  checkDistinctNames,
  chosenEnvironment,
  type EnvironmentFile,
  readEnvironmentFile,
  registerEnvironments,
} from "../environments.ts";
import { parseRenames, type SelectionOptions, selectedCollections } from "../options.ts";
import { restoreSummary } from "../output/restore-summary.ts";
import type { VerbRun } from "../verbs/verb.ts";
import { runExecution } from "./run-execution.ts";

interface RestoreOptions extends SelectionOptions {
  readonly name: string;
  readonly suffix?: string;
  readonly rename?: string;
  readonly from?: string;
  readonly fromEnvironment?: string;
  readonly dropExisting?: true;
  readonly keepReplaced?: true;
  readonly skipCreate?: true;
  readonly metadataOnly?: true;
  readonly index: boolean;
  readonly load: boolean;
  readonly discard?: true;
  readonly replace?: true;
  readonly detach?: true;
}

/** Restores collections through the pipeline. */
export async function restore(run: VerbRun<RestoreOptions>): Promise<void> {
  const { options, shared, output, context } = run;
  // Everything that can be wrong here is found before anything is started.
  const backupName = checkBackupName(options.name);
  const collections = selectedCollections(options);
  collections?.forEach(parseCollectionSelector);
  const renames = options.rename === undefined ? undefined : checkRenames(parseRenames(options.rename));
  if (options.suffix !== undefined) checkMilvusName("collection", `coll${options.suffix}`);
  const environment = await chosenEnvironment(context, shared);
  const source = options.from === undefined ? undefined : readEnvironmentFile(options.from);
  if (source) checkDistinctNames(environment, source, "--from");
  const from = source?.name ?? options.fromEnvironment;
  const input: RestoreInput = restoreInput.parse({
    environment: environment.name,
    backupName,
    ...(from !== undefined && { from }),
    ...(collections && { collections }),
    ...(options.suffix !== undefined && { suffix: options.suffix }),
    ...(renames && { renames }),
    ...(options.dropExisting && { dropExisting: true }),
    ...(options.keepReplaced && { keepReplaced: true }),
    ...(options.skipCreate && { skipCreate: true }),
    ...(options.metadataOnly && { metadataOnly: true }),
    ...(!options.index && { indexes: false }),
    ...(!options.load && { load: false }),
    ...(options.discard && { discard: true }),
  });

  const pipeline = await context.connections.pipeline(shared.stack);
  const registry = await context.connections.environments(pipeline);
  const files: EnvironmentFile[] = [];
  if (shared.environment === undefined) files.push({ environment, file: shared.config, option: "--environment" });
  if (source) files.push({ environment: source, file: options.from ?? "", option: "--from-environment" });
  await registerEnvironments(registry, files, output, { replace: options.replace === true });
  if (options.fromEnvironment !== undefined) await registry.get(options.fromEnvironment);
  await runExecution(run, pipeline, {
    machine: "restore",
    verb: "restore",
    backupName,
    environments: { environment: environment.name },
    input,
    summarize: (finished) => restoreSummary(finished, environment),
  });
}

function checkRenames(renames: Record<string, string>): Record<string, string> {
  for (const name of Object.entries(renames).flat()) {
    const { database, collection } = parseQualifiedName(name);
    checkMilvusName("database", database);
    checkMilvusName("collection", collection);
  }
  return renames;
}
