import { type Command, Option } from "commander";
import { confirmOption, replaceOption } from "../options.ts";
import { examples, type VerbHost } from "./verb.ts";

/** Adds `env`: the environments that executions, schedules and `--environment` name. */
export function addEnv(program: Command, host: VerbHost): void {
  const env = program
    .command("env")
    .description("registered environments: a backup.yaml kept in Secrets Manager under a name")
    .addHelpText(
      "after",
      examples(
        ["register a file", "--config milvus-a.yaml env set prod"],
        ["replace what is registered", "--config milvus-a.yaml env set prod --replace"],
        ["use it instead of a file", "--environment prod list"],
        ["bring back what env rm forgot in the last 7 days", "env restore prod"],
      ),
    );
  env
    .command("list")
    .description("list the registered environments")
    .addHelpText("after", examples(["all of them", "env list"], ["for a program", "--json env list"]))
    .action(host.action(async () => (await import("../actions/env.ts")).list));
  env
    .command("show")
    .description("show a registered environment, without its secrets")
    .argument("<name>", "as env list shows it")
    .addHelpText("after", examples(["what executions that name it use", "env show prod"]))
    .action(host.action(async () => (await import("../actions/env.ts")).show));
  env
    .command("set")
    .alias("put")
    .description("register the file of --config under a name")
    .argument("<name>", "what executions, schedules and --environment call it")
    .addOption(replaceOption("that name"))
    .addOption(confirmOption("with --replace: replace it"))
    .addHelpText(
      "after",
      examples(
        ["register a file", "--config milvus-a.yaml env set prod"],
        ["with new values", "--config milvus-a.yaml env set prod --replace"],
      ),
    )
    .action(host.action(async () => (await import("../actions/env.ts")).set));
  env
    .command("rm")
    .description("forget a registered environment; for 7 days env restore brings it back")
    .argument("<name>", "as env list shows it")
    .addOption(new Option("-y, --yes", "do not ask"))
    .addOption(new Option("--force", "for good: nothing brings it back, and its name is free at once"))
    .addOption(confirmOption("forget it"))
    .addHelpText(
      "after",
      examples(["asks first", "env rm prod"], ["in a script, for good", "env rm prod --yes --force"]),
    )
    .action(host.action(async () => (await import("../actions/env.ts")).remove));
  env
    .command("restore")
    .description("bring back an environment that env rm forgot in the last 7 days")
    .argument("<name>", "as it was called")
    .addHelpText("after", examples(["undo env rm prod", "env restore prod"]))
    .action(host.action(async () => (await import("../actions/env.ts")).restore));
}
