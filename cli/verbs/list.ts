import { type Command, Option } from "commander";
import { examples, type VerbHost } from "./verb.ts";

/** Adds `list`: the backups in an environment's backup bucket. */
export function addList(program: Command, host: VerbHost): void {
  program
    .command("list")
    .description("list the backups in the backup bucket")
    .addOption(new Option("-c, --collections <names>", "only backups that hold one of these: coll, db.coll or db.*"))
    .addOption(new Option("--all", "also incomplete ones: being written, or left behind by a failure"))
    .addHelpText(
      "after",
      examples(
        ["all of them", "--config milvus-a.yaml list"],
        ["those that hold a collection, for a program", "--config milvus-a.yaml --json list -c shop.orders"],
      ),
    )
    .action(host.action(async () => (await import("../actions/list.ts")).list));
}
