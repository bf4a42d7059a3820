import { type Command, Option } from "commander";
import { nameOption } from "../options.ts";
import { examples, type VerbHost } from "./verb.ts";

/** Adds `report`: a page to look at. */
export function addReport(program: Command, host: VerbHost): void {
  program
    .command("report")
    .description("write a page about all backups, one backup or one execution: one HTML file, no network")
    .addOption(nameOption("one backup: its collections, partitions, segments, indexes, schema").conflicts("execution"))
    .addOption(
      new Option("--execution <name>", "one execution, by name or ARN: its states, batches, throughput, retries"),
    )
    .addOption(new Option("-o, --out <file>", "where to write it; - for stdout").default("report.html"))
    .addOption(new Option("--force", "replace a file that is no report"))
    .addHelpText(
      "after",
      examples(
        ["all backups of an environment, against what its schedules promise", "--config milvus-a.yaml report"],
        ["one backup", "--config milvus-a.yaml report -n my_backup --out my_backup.html"],
        [
          "one execution (milvus-backup executions lists them)",
          "report --execution create-my_backup-20261121T110307-3f9c2a",
        ],
        ["the same figures for a program", "--config milvus-a.yaml --json report"],
      ),
    )
    .action(host.action(async () => (await import("../actions/report.ts")).report));
}
