import { type Command, Option } from "commander";
import { confirmOption } from "../options.ts";
import { examples, type VerbHost } from "./verb.ts";

/** Adds `retention`: what the rules of a schedule keep and delete; the pipeline itself does it after each of its backups. */
export function addRetention(program: Command, host: VerbHost): void {
  program
    .command("retention")
    .description("what the rules of a schedule (keep, in pipeline.yaml) keep and what they delete")
    .argument("<schedule>", "a schedule of pipeline.yaml")
    .addOption(new Option("--pipeline <file>", "the deploy-time file").default("pipeline.yaml"))
    .addOption(new Option("--dry-run", "show what would go, delete nothing"))
    .addOption(new Option("-y, --yes", "do not ask").conflicts("dryRun"))
    .addOption(confirmOption("delete"))
    .addHelpText(
      "after",
      examples(
        ["what would go by the rules as they stand in pipeline.yaml", "retention nightly --dry-run"],
        ["delete it now, instead of after the next backup", "retention nightly --yes"],
      ),
    )
    .action(host.action(async () => (await import("../actions/retention.ts")).retention));
}
