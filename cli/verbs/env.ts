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
    .description("forget a registered environment")
    .argument("<name>")
    .addOption(new Option("-y, --yes", "do not ask"))
    .addOption(confirmOption("forget it"))
    .action(host.action(async () => (await import("../actions/env.ts")).remove));
}
