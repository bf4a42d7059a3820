import { type Command, Option } from "commander";
import { confirmOption, nameOption } from "../options.ts";
import { examples, type VerbHost } from "./verb.ts";

/** Adds `delete`: a whole backup, its commit record first. */
export function addDelete(program: Command, host: VerbHost): void {
  program
    .command("delete")
    .description("delete a whole backup")
    .addOption(nameOption("name of the backup").makeOptionMandatory())
    .addOption(new Option("-y, --yes", "do not ask"))
    .addOption(confirmOption("delete"))
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
    .action(host.action(async () => (await import("../actions/delete.ts")).remove));
}
