import { type Command, Option } from "commander";
import { examples, type VerbHost } from "./verb.ts";

/** Adds `diff`: what happened to the rows of a collection between two backups. */
export function addDiff(program: Command, host: VerbHost): void {
  program
    .command("diff")
    .description("compare the rows of a collection in two backups, by primary key: added, changed, removed")
    .addOption(
      new Option("-n, --name <backup>", "the earlier backup, and once more the later one")
        .argParser((name: string, earlier: string[] | undefined) => [...(earlier ?? []), name])
        .makeOptionMandatory(),
    )
    .addOption(new Option("-c, --collections <name>", "the collection: coll or db.coll").makeOptionMandatory())
    .addOption(new Option("-p, --partitions <names>", "only rows of these partitions, comma separated"))
    .addOption(new Option("--keys <rows>", "with --json: list at most so many keys of each kind").default("100000"))
    .addHelpText(
      "after",
      examples(
        ["how many rows", "--config milvus-a.yaml diff -n monday -n tuesday -c coll"],
        ["and which", "--config milvus-a.yaml --json diff -n monday -n tuesday -c coll"],
      ),
    )
    .action(host.action(async () => (await import("../actions/diff.ts")).diff));
}
