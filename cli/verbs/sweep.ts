import { type Command, Option } from "commander";
import { confirmOption } from "../options.ts";
import { examples, type VerbHost } from "./verb.ts";

/** Adds `sweep`: removes segments that no incremental backup names any more; delete and retention do so by themselves. */
export function addSweep(program: Command, host: VerbHost): void {
  program
    .command("sweep")
    .description(
      "remove the segments that no incremental backup names any more (delete and retention do so by themselves)",
    )
    .addOption(new Option("--dry-run", "show what would be freed, remove nothing"))
    .addOption(new Option("-y, --yes", "do not ask").conflicts("dryRun"))
    .addOption(confirmOption("delete"))
    .addHelpText(
      "after",
      examples(
        ["what would be freed", "--config milvus-a.yaml sweep --dry-run"],
        ["free it, in a script", "--config milvus-a.yaml sweep --yes"],
      ),
    )
    .action(host.action(async () => (await import("../actions/sweep.ts")).sweep));
}
