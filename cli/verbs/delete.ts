import { type Command, Option } from "commander";
import { backupLayout } from "../../src/core/format/layout.ts";
import { chosenEnvironment } from "../environments.ts";
import { CliError } from "../errors.ts";
import { nameOption } from "../options.ts";
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

async function remove({ options, shared, output, context }: VerbRun<DeleteOptions>): Promise<void> {
  const [{ checkBackupName }, { checkDeletable, deleteBackup }, { countOf }] = await Promise.all([
    import("../../src/core/milvus/names.ts"),
    import("../../src/steps/catalog/delete-backup.ts"),
    import("../output/format.ts"),
  ]);
  const name = checkBackupName(options.name);
  const environment = await chosenEnvironment(context, shared);
  const { bucket, rootPath } = environment.backupStorage;
  const store = await context.connections.openStore(environment, "backup");
  const incomplete = options.incomplete === true;
  await checkDeletable(store, rootPath, name, { incomplete });
  const location = `${bucket}/${backupLayout(rootPath, name).root}`;
  if (!options.yes) {
    const answer = await context.terminal.ask(`Delete backup ${name} in ${location} for good? [y/N] `);
    if (answer === undefined) throw new CliError("Usage", "delete asks first, and nobody can answer here: add --yes");
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliError("Interrupted", "nothing was deleted");
  }
  const { objects } = await deleteBackup(store, rootPath, name, { incomplete });
  output.result(
    { backupName: name, location, objects },
    `Deleted backup ${name}: ${countOf(objects, "object")} in ${location}`,
  );
}
