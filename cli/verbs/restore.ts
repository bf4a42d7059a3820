import { type Command, Option } from "commander";
import type { RestoreInput } from "../../src/core/execution/messages.ts";
import {
  checkDistinctNames,
  chosenEnvironment,
  type EnvironmentFile,
  readEnvironmentFile,
  registerEnvironments,
} from "../environments.ts";
import {
  addSelectionOptions,
  detachOption,
  nameOption,
  parseRenames,
  replaceOption,
  type SelectionOptions,
  selectedCollections,
} from "../options.ts";
import { examples, type VerbHost, type VerbRun } from "./verb.ts";

interface RestoreOptions extends SelectionOptions {
  readonly name: string;
  readonly suffix?: string;
  readonly rename?: string;
  readonly from?: string;
  readonly fromEnvironment?: string;
  readonly dropExisting?: true;
  readonly skipCreate?: true;
  readonly metadataOnly?: true;
  readonly index: boolean;
  readonly load: boolean;
  readonly discard?: true;
  readonly replace?: true;
  readonly detach?: true;
}

/** Adds `restore`: restores collections through the pipeline. */
export function addRestore(program: Command, host: VerbHost): void {
  const command = program
    .command("restore")
    .description("restore collections into the Milvus of the config, under their names or new ones")
    .addOption(nameOption("name of the backup").makeOptionMandatory());
  addSelectionOptions(command)
    .addOption(new Option("-s, --suffix <suffix>", "appended to every collection's name"))
    .addOption(new Option("-r, --rename <pairs>", "coll:coll2,db.coll:db2.coll3; renamed collections get no suffix"))
    .addOption(new Option("--from <file>", "the backup lies where this other backup.yaml keeps its backups"))
    .addOption(new Option("--from-environment <name>", "the same, with a registered environment").conflicts("from"))
    .addOption(
      new Option("--drop-existing", "replace a collection of that name once the new one is complete").conflicts(
        "skipCreate",
      ),
    )
    .addOption(new Option("--skip-create", "import into collections that exist with the same schema"))
    .addOption(new Option("--metadata-only", "collections, partitions, indexes and aliases without rows"))
    .addOption(new Option("--no-index", "recreate no index (and load nothing)"))
    .addOption(new Option("--no-load", "load nothing; otherwise what was loaded is loaded again"))
    .addOption(new Option("--discard", "remove what a failed restore of the same names left behind"))
    // Asked for by milvus-backup's command lines: what it has to be told, happens here anyway.
    .addOption(new Option("--rebuild-index", "accepted: indexes are always restored").conflicts("index"))
    .addOption(new Option("--use-v2-restore").hideHelp())
    .addOption(replaceOption())
    .addOption(detachOption())
    .addHelpText(
      "after",
      examples(
        ["one collection, as coll_bak", "--config milvus-b.yaml restore -c coll -n my_backup -s _bak"],
        ["under other names", "--config milvus-b.yaml restore -n my_backup --rename coll:shop.coll2,old:new"],
        ["a backup that lies elsewhere", "--config milvus-b.yaml restore -n my_backup --from milvus-a.yaml"],
        [
          "clean up after a restore that failed",
          "--config milvus-b.yaml restore -c coll -n my_backup -s _bak --discard",
        ],
      ),
    )
    .action(host.action(restore));
}

async function restore({ options, shared, output, context }: VerbRun<RestoreOptions>): Promise<void> {
  const [names, { restoreInput }, run, summary] = await Promise.all([
    import("../../src/core/milvus/names.ts"),
    import("../../src/core/execution/messages.ts"),
    import("../pipeline/run.ts"),
    import("../output/restore-summary.ts"),
  ]);
  // Everything that can be wrong here is found before anything is started.
  const backupName = names.checkBackupName(options.name);
  const collections = selectedCollections(options);
  collections?.forEach(names.parseCollectionSelector);
  const renames = options.rename === undefined ? undefined : checkRenames(parseRenames(options.rename), names);
  if (options.suffix !== undefined) names.checkMilvusName("collection", `coll${options.suffix}`);
  const environment = await chosenEnvironment(context, shared);
  const source = options.from === undefined ? undefined : await readEnvironmentFile(options.from);
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
  const executionArn = await run.startExecution(context, pipeline, {
    machine: "restore",
    verb: "restore",
    backupName,
    input,
  });
  if (options.detach) {
    output.result({ backupName, environment: environment.name, executionArn }, executionArn);
    return;
  }
  const finished = await run.watchExecution(context, output, pipeline, "restore", executionArn);
  summary.showRestore(output, environment, finished);
}

function checkRenames(
  renames: Record<string, string>,
  names: typeof import("../../src/core/milvus/names.ts"),
): Record<string, string> {
  for (const name of Object.entries(renames).flat()) {
    const { database, collection } = names.parseQualifiedName(name);
    names.checkMilvusName("database", database);
    names.checkMilvusName("collection", collection);
  }
  return renames;
}
