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
    .action(host.action(async () => (await import("../actions/env.ts")).list));
  env
    .command("show")
    .description("show a registered environment, without its secrets")
    .argument("<name>")
    .action(host.action(async () => (await import("../actions/env.ts")).show));
  env
    .command("set")
    .alias("put")
    .description("register the file of --config under a name")
    .argument("<name>")
    .addOption(replaceOption())
    .addOption(confirmOption("with --replace: replace it"))
    .action(host.action(async () => (await import("../actions/env.ts")).set));
  env
    .command("rm")
    .description("forget a registered environment; for 7 days env restore brings it back")
    .argument("<name>")
    .addOption(new Option("-y, --yes", "do not ask"))
    .addOption(new Option("--force", "for good: nothing brings it back, and its name is free at once"))
    .addOption(confirmOption("forget it"))
    .action(host.action(async () => (await import("../actions/env.ts")).remove));
  env
    .command("restore")
    .description("bring back an environment that env rm forgot in the last 7 days")
    .argument("<name>")
    .action(host.action(async () => (await import("../actions/env.ts")).restore));
}
