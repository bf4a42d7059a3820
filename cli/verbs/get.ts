import { type Command, Option } from "commander";
import { nameOption } from "../options.ts";
import { examples, type VerbHost } from "./verb.ts";

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
    .action(host.action(async () => (await import("../actions/get.ts")).get));
}
