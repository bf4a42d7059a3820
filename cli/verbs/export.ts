import { type Command, Option } from "commander";
import { addSelectionOptions, detachOption, exportFormats, nameOption, replaceOption } from "../options.ts";
import { examples, type VerbHost } from "./verb.ts";

/** Adds `export`: the rows of a backup as files that other tools read. */
export function addExport(program: Command, host: VerbHost): void {
  const command = program
    .command("export")
    .description(
      "write the rows of a backup as Parquet, Arrow or lines of JSON, for DuckDB, pandas, Spark or another vector store: deletes applied, one folder a collection and partition",
    )
    .addOption(nameOption("name of the backup").makeOptionMandatory());
  addSelectionOptions(command)
    .addOption(
      new Option(
        "--to <url>",
        "an empty folder, s3://bucket/folder, in the store where the backups lie (gs:// and azure:// with stores of that kind)",
      ).makeOptionMandatory(),
    )
    .addOption(
      new Option(
        "--to-env, --to-environment <name>",
        "in the store, and with the credentials, of this registered environment's backups",
      ),
    )
    .addOption(new Option("--format <format>", "what the files are").choices(exportFormats).default("parquet"))
    .addOption(replaceOption())
    .addOption(detachOption())
    .addHelpText(
      "after",
      examples(
        ["everything as Parquet", "--config milvus-a.yaml export -n my_backup --to s3://analytics/my_backup"],
        [
          "one collection as lines of JSON",
          "--config milvus-a.yaml export -n my_backup -c shop.orders --to s3://analytics/orders --format jsonl",
        ],
        [
          "into another store, which a registered environment has the keys of",
          "--environment prod export -n my_backup --to s3://lake/milvus --to-env lake",
        ],
      ),
    )
    .action(host.action(async () => (await import("../actions/export.ts")).exportBackup));
}
