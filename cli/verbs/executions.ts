import { type Command, Option } from "commander";
import { CliError } from "../errors.ts";
import { examples, type VerbHost } from "./verb.ts";

/** Adds `executions`, `status` and `stop`: what the pipeline is doing and did, whoever started it. */
export function addExecutions(program: Command, host: VerbHost): void {
  program
    .command("executions")
    .description("list the newest executions of the pipeline")
    .addOption(new Option("--limit <count>", "how many of each state machine").default(10).argParser(parseLimit))
    .action(host.action(async () => (await import("../actions/executions.ts")).list));
  program
    .command("status")
    .description("show one execution, and how far it is; exit code 1 where it failed, was stopped or ran out of time")
    .argument("<execution>", "its name or ARN, or a backup's name for its newest execution")
    .addOption(new Option("--follow", "show its progress until it is over"))
    .addHelpText(
      "after",
      examples(
        ["after Ctrl-C, or create --detach", "status my_backup --follow"],
        ["one execution, for a program", "--json status create-my_backup-20261121T110307-3f9c2a"],
      ),
    )
    .action(host.action(async () => (await import("../actions/status.ts")).status));
  program
    .command("stop")
    .description("stop an execution; what it copied is kept, and the same command goes on from there")
    .argument("<execution>", "its name or ARN")
    .action(host.action(async () => (await import("../actions/executions.ts")).stop));
}

function parseLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new CliError("Usage", `--limit: ${JSON.stringify(text)} is not a number from 1 to 1000`);
  }
  return limit;
}
