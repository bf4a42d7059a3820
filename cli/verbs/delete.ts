import { type Command, Option } from "commander";
import type { CliContext } from "../context.ts";
import { chosenEnvironment } from "../environments.ts";
import { CliError } from "../errors.ts";
import { nameOption } from "../options.ts";
import type { Output } from "../output/output.ts";
import type { Pipeline } from "../pipeline/stack.ts";
import { examples, type VerbHost, type VerbRun } from "./verb.ts";

interface DeleteOptions {
  readonly name: string;
  readonly yes?: true;
  readonly incomplete?: true;
}

/** Adds `delete`: a whole backup, its commit record first. */
export function addDelete(program: Command, host: VerbHost): void {
  program
    .command("delete")
    .description("delete a whole backup")
    .addOption(nameOption("name of the backup").makeOptionMandatory())
    .addOption(new Option("-y, --yes", "do not ask"))
    .addOption(
      new Option("--incomplete", "also what a backup without full_meta.json left behind (never one being written)"),
    )
    .addHelpText(
      "after",
      examples(
        ["asks first", "--config milvus-a.yaml delete -n my_backup"],
        ["in a script", "--config milvus-a.yaml delete -n my_backup --yes"],
      ),
    )
    .action(host.action(remove));
}

/** Readers leave their marks with the pipeline: without one, nobody is seen to read, which the command says. */
async function pipelineIfThere(context: CliContext, stack: string, output: Output): Promise<Pipeline | undefined> {
  try {
    return await context.connections.pipeline(stack);
  } catch (error) {
    if (!(error instanceof CliError) || error.name !== "PipelineNotDeployed") throw error;
    output.warn(`nobody can be asked who reads or writes the backup: ${error.message}`);
    return undefined;
  }
}

async function remove({ options, shared, output, context }: VerbRun<DeleteOptions>): Promise<void> {
  const [{ checkBackupName }, { checkDeletable, deleteBackup }, { StoredBackup }, deletions, { countOf }] =
    await Promise.all([
      import("../../src/core/milvus/names.ts"),
      import("../../src/steps/catalog/delete-backup.ts"),
      import("../../src/steps/shared/stored-backup.ts"),
      import("../pipeline/deletions.ts"),
      import("../output/format.ts"),
    ]);
  const name = checkBackupName(options.name);
  const environment = await chosenEnvironment(context, shared);
  const pipeline = await pipelineIfThere(context, shared.stack, output);
  const place = environment.backupStorage;
  const stored = new StoredBackup(await context.connections.openStore(environment, "backup"), place, name);
  const request = {
    place,
    holder: deletions.deletionHolder("delete", context.clock.now()),
    deployment: pipeline?.backupStateMachineArn ?? "",
    incomplete: options.incomplete === true,
  };
  const deletion = await deletions.deletionContext(context, pipeline);
  await checkDeletable(stored, request, deletion);
  const location = `${place.bucket}/${stored.layout.root}`;
  if (!options.yes) {
    const answer = await context.terminal.ask(`Delete backup ${name} in ${location} for good? [y/N] `);
    if (answer === undefined) throw new CliError("Usage", "delete asks first, and nobody can answer here: add --yes");
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliError("Interrupted", "nothing was deleted");
  }
  const { objects } = await deleteBackup(stored, request, deletion);
  output.result(
    { backupName: name, location, objects },
    `Deleted backup ${name}: ${countOf(objects, "object")} in ${location}`,
  );
}
