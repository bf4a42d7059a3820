import { type Command, Option } from "commander";
import { nameOption } from "../options.ts";
import { examples, type VerbHost } from "./verb.ts";

/** Adds `peek`: rows of a collection straight from a backup. */
export function addPeek(program: Command, host: VerbHost): void {
  program
    .command("peek")
    .description(
      "show rows of a backup as they would be restored, without a Milvus: deletes applied, as of its instant",
    )
    .addOption(nameOption("name of the backup").makeOptionMandatory())
    .addOption(new Option("-c, --collections <name>", "the collection: coll or db.coll").makeOptionMandatory())
    .addOption(new Option("-p, --partitions <names>", "only rows of these partitions, comma separated"))
    .addOption(new Option("--limit <rows>", "show at most so many rows").default("10"))
    .addOption(new Option("--filter <expression>", "only rows that match: scalar fields, in Milvus's own expressions"))
    .addOption(new Option("--fields <names>", "only these fields, comma separated: no others are read"))
    .addOption(
      new Option(
        "--picture <field>",
        "show a vector as a picture of half blocks; FIELD=WIDTHxHEIGHT where it is no square",
      ),
    )
    .addHelpText(
      "after",
      examples(
        ["the first ten rows", "--config milvus-a.yaml peek -n my_backup -c coll"],
        ["one row, whole", `--config milvus-a.yaml --json peek -n my_backup -c coll --filter 'id == 42'`],
        ["vectors that are pictures", "--config milvus-a.yaml peek -n my_backup -c digits --picture pixels=28x28"],
        [
          "more of it, without the vectors",
          `--config milvus-a.yaml peek -n my_backup -c shop.orders --fields id,title --limit 100 --filter 'title like "a%" and price > 10'`,
        ],
      ),
    )
    .action(host.action(async () => (await import("../actions/peek.ts")).peek));
}
