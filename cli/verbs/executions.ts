import { type Command, Option } from "commander";
import { CliError } from "../errors.ts";
import { examples, type VerbHost, type VerbRun } from "./verb.ts";

/** Adds `executions`, `status` and `stop`: what the pipeline is doing and did, whoever started it. */
export function addExecutions(program: Command, host: VerbHost): void {
  program
    .command("executions")
    .description("list the newest executions of the pipeline")
    .addOption(new Option("--limit <count>", "how many of each state machine").default(10).argParser(parseLimit))
    .addHelpText(
      "after",
      examples(
        ["the newest ten of each machine", "executions"],
        ["more of them, for a program", "--json executions --limit 100"],
      ),
    )
    .action(host.action(async () => (await import("../actions/executions.ts")).list));
  program
    .command("status")
    .description(
      "show one execution, and how far it is; exit code 1 where it failed, was stopped or ran out of time; with --last, whether the newest backup of each schedule is new enough",
    )
    .argument("[execution]", "its name or ARN, or a backup's name for its newest execution")
    .addOption(new Option("--follow", "show its progress until it is over"))
    .addOption(
      new Option(
        "--last",
        "the newest good backup of each schedule, a line each for a monitor; exit code 1 where one is too old, or nobody could look",
      ).conflicts("follow"),
    )
    .addOption(new Option("--schedule <name>", "with --last: this schedule only"))
    .addOption(
      new Option(
        "--max-age <time>",
        "with --last: how old the newest may be (26h, 90m, 2d), in place of what its schedule promises",
      ).argParser(parseAge),
    )
    .addHelpText(
      "after",
      examples(
        ["after Ctrl-C, or create --detach", "status my_backup --follow"],
        ["one execution, for a program", "--json status create-my_backup-20261121T110307-3f9c2a"],
        ["from cron or a monitor", "status --last --schedule nightly --max-age 26h"],
      ),
    )
    .action(host.action(async () => statusOf));
  program
    .command("stop")
    .description("stop an execution; what it copied is kept, and the same command goes on from there")
    .argument("<execution>", "its name or ARN, or a backup's name for its newest execution")
    .addHelpText(
      "after",
      examples(
        ["one that milvus-backup executions lists", "stop create-my_backup-20261121T110307-3f9c2a"],
        ["whatever is being done with a backup", "stop my_backup"],
      ),
    )
    .action(host.action(async () => (await import("../actions/executions.ts")).stop));
}

interface StatusOptions {
  readonly follow?: true;
  readonly last?: true;
  readonly schedule?: string;
  readonly maxAge?: number;
}

async function statusOf(run: VerbRun<StatusOptions>): Promise<number | undefined> {
  const { last, schedule, maxAge } = run.options;
  const named = run.arguments.length > 0;
  if ((last === true) === named)
    throw new CliError("Usage", "status: name an execution, or use --last for the schedules' newest backups");
  if (last) return (await import("../actions/last-backups.ts")).lastBackups(run);
  if (schedule !== undefined || maxAge !== undefined) {
    throw new CliError("Usage", "status: --schedule and --max-age go with --last");
  }
  return (await import("../actions/status.ts")).status(run);
}

function parseAge(text: string): number {
  const [, value = "", unit = ""] = /^([1-9]\d{0,4})([mhd])$/.exec(text) ?? [];
  const minutes = Number(value) * ({ m: 1, h: 60, d: 1440 }[unit] ?? Number.NaN);
  if (minutes > 0) return minutes * 60_000;
  throw new CliError("Usage", `--max-age: ${JSON.stringify(text)} is no time; use a number and m, h or d, such as 26h`);
}

function parseLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new CliError("Usage", `--limit: ${JSON.stringify(text)} is not a number from 1 to 1000`);
  }
  return limit;
}
