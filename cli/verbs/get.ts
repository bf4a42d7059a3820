import { type Command, Option } from "commander";
import { backupLayout } from "../../src/core/format/layout.ts";
import { chosenEnvironment } from "../environments.ts";
import { nameOption } from "../options.ts";
import { examples, type VerbHost, type VerbRun } from "./verb.ts";

interface GetOptions {
  readonly name: string;
  readonly detail?: true;
}

/** Adds `get`: what is in a backup. */
export function addGet(program: Command, host: VerbHost): void {
  program
    .command("get")
    .description("show what is in a backup")
    .addOption(nameOption("name of the backup").makeOptionMandatory())
    .addOption(
      new Option("-d, --detail", "print the whole meta as JSON, down to every log (64-bit IDs are bare numbers there)"),
    )
    .addHelpText(
      "after",
      examples(
        ["its collections and partitions", "--config milvus-a.yaml get -n my_backup"],
        ["the same for a program, IDs as text", "--config milvus-a.yaml --json get -n my_backup"],
      ),
    )
    .action(host.action(get));
}

async function get({ options, shared, output, context }: VerbRun<GetOptions>): Promise<void> {
  const [{ getBackup, outlineBackup }, { backupDocument, formatBackup }, { backupInfo }, { parseJson }, { toJson }] =
    await Promise.all([
      import("../../src/steps/catalog/get-backup.ts"),
      import("../output/backup-document.ts"),
      import("../../src/core/format/meta.ts"),
      import("../../src/core/format/lossless-json.ts"),
      import("../output/output.ts"),
    ]);
  const environment = await chosenEnvironment(context, shared);
  const { bucket, rootPath } = environment.backupStorage;
  const store = await context.connections.openStore(environment, "backup");
  if (options.detail) {
    const found = await getBackup(store, rootPath, options.name);
    for (const warning of found.warnings) output.warn(warning);
    // Users come with their encrypted passwords, which belong on no screen.
    const shown = { ...found.backup, rbac_meta: undefined };
    const whole = parseJson(backupInfo.print(shown), "full_meta.json");
    output.result(whole, toJson(whole));
    return;
  }
  const found = await outlineBackup(store, rootPath, options.name);
  for (const warning of found.warnings) output.warn(warning);
  const location = `${bucket}/${backupLayout(rootPath, options.name).root}`;
  const document = backupDocument(found, location);
  output.result(document, formatBackup(document));
}
