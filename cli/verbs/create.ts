import { type Command, Option } from "commander";
import type { BackupInput } from "../../src/core/execution/messages.ts";
import { chosenEnvironment, registerEnvironments } from "../environments.ts";
import {
  addSelectionOptions,
  detachOption,
  nameOption,
  replaceOption,
  type SelectionOptions,
  selectedCollections,
} from "../options.ts";
import { examples, type VerbHost, type VerbRun } from "./verb.ts";

interface CreateOptions extends SelectionOptions {
  readonly name?: string;
  readonly strategy?: string;
  readonly force?: true;
  readonly metadataOnly?: true;
  readonly replace?: true;
  readonly detach?: true;
}

/** milvus-backup's strategies; how a flush is done is this pipeline's own affair. */
const strategies: Readonly<Record<string, NonNullable<BackupInput["strategy"]>>> = {
  flush: "flush",
  auto: "flush",
  bulk_flush: "flush",
  serial_flush: "flush",
  skip_flush: "skip_flush",
  meta_only: "meta_only",
};

/** Adds `create`: backs up collections through the pipeline. */
export function addCreate(program: Command, host: VerbHost): void {
  const command = program
    .command("create")
    .description("back up collections: flush, copy their segments, write the metas")
    .addOption(nameOption("name of the backup; made from the time where absent"));
  addSelectionOptions(command)
    .addOption(
      new Option("--strategy <name>", "flush first, or take what is flushed, or no data at all")
        .choices(Object.keys(strategies))
        .conflicts(["force", "metadataOnly"]),
    )
    .addOption(new Option("-f, --force", "do not flush first (--strategy=skip_flush)").conflicts("metadataOnly"))
    .addOption(new Option("--metadata-only", "schemas and indexes without data (--strategy=meta_only)"))
    .addOption(new Option("--backup-index-extra").hideHelp())
    .addOption(replaceOption())
    .addOption(detachOption())
    .addHelpText(
      "after",
      examples(
        ["one collection", "--config milvus-a.yaml create -c coll -n my_backup"],
        ["a whole database and one collection more", "--config milvus-a.yaml create --filter 'shop.*,coll' -n nightly"],
        ["from a script, with a registered environment", "--environment prod --json create -n nightly --detach"],
      ),
    )
    .action(host.action(create));
}

async function create({ options, shared, output, context }: VerbRun<CreateOptions>): Promise<void> {
  const [{ checkBackupName, parseCollectionSelector }, { defaultBackupName }, { backupInput }, run, summary] =
    await Promise.all([
      import("../../src/core/milvus/names.ts"),
      import("../../src/core/plan/backup-name.ts"),
      import("../../src/core/execution/messages.ts"),
      import("../pipeline/run.ts"),
      import("../output/backup-summary.ts"),
    ]);
  // Everything that can be wrong here is found before anything is started.
  const backupName = checkBackupName(options.name ?? defaultBackupName(context.clock.now().toISOString()));
  const collections = selectedCollections(options);
  collections?.forEach(parseCollectionSelector);
  const environment = await chosenEnvironment(context, shared);
  const input: BackupInput = backupInput.parse({
    environment: environment.name,
    backupName,
    ...(collections && { collections }),
    ...(strategyOf(options) && { strategy: strategyOf(options) }),
  });

  const pipeline = await context.connections.pipeline(shared.stack);
  if (shared.environment === undefined) {
    const registry = await context.connections.environments(pipeline);
    const given = { environment, file: shared.config, option: "--environment" } as const;
    await registerEnvironments(registry, [given], output, { replace: options.replace === true });
  }
  const executionArn = await run.startExecution(context, pipeline, {
    machine: "backup",
    verb: "create",
    backupName,
    input,
  });
  if (options.detach) {
    output.result({ backupName, environment: environment.name, executionArn }, executionArn);
    return;
  }
  const finished = await run.watchExecution(context, output, pipeline, "backup", executionArn);
  summary.showBackup(output, environment, finished);
}

function strategyOf({ strategy, force, metadataOnly }: CreateOptions): BackupInput["strategy"] {
  if (force) return "skip_flush";
  if (metadataOnly) return "meta_only";
  return strategy === undefined ? undefined : strategies[strategy];
}
