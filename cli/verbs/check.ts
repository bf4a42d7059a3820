import { type Command, Option } from "commander";
import { CliError } from "../errors.ts";
import { examples, type VerbHost } from "./verb.ts";

/** Options of `check` are understood behind `config` too, which tries nothing. */
function refuseTrying(config: Command): void {
  const { deployed, simulate, restoreOnly, milvus } = config.parent?.opts() ?? {};
  if (deployed || simulate || restoreOnly || milvus === false) {
    throw new CliError(
      "Usage",
      "check config shows the values of a file and tries nothing: leave out --deployed, --simulate, --restore-only and --no-milvus",
    );
  }
}

/** Adds `check`: is everything there that a backup needs? */
export function addCheck(program: Command, host: VerbHost): void {
  const check = program
    .command("check")
    .description(
      "try every permission that backups and restores need by using it, on probes that are removed again; find the deployed pipeline; print the " +
        "statements of IAM that are missing. Below Milvus's root path nothing is written, unless the backups lie there",
    )
    .addOption(
      new Option("--deployed", "have the pipeline's functions do it, with their roles and in their network").conflicts(
        "simulate",
      ),
    )
    .addOption(new Option("--simulate", "only print the statements that the environment needs; asks nobody anything"))
    .addOption(new Option("--restore-only", "the environment only restores: write nothing beside the backups"))
    .addOption(new Option("--no-milvus", "leave Milvus out: only the pipeline's network reaches it"))
    .addHelpText(
      "after",
      examples(
        [
          "before the first backup, with this shell's credentials where the file names none",
          "--config milvus-a.yaml check",
        ],
        ["what the deployed functions may do", "--config milvus-a.yaml check --deployed"],
        ["the policies that have to be written", "--config milvus-a.yaml check --simulate"],
        ["every value of the file, and where it comes from", "--config milvus-a.yaml check config"],
      ),
    )
    .action(host.action(async () => (await import("../actions/check.ts")).check));
  check
    .command("config")
    .configureHelp({ ...program.configureHelp(), visibleGlobalOptions: () => [...program.options] })
    .hook("preAction", refuseTrying)
    .description(
      "show every value of the file of --config, secrets only as given or not, and where it comes from: --set, an environment variable, a line of the " +
        "file, or the default",
    )
    .addHelpText(
      "after",
      examples(
        ["what a file says, and what is left to defaults", "--config milvus-a.yaml check config"],
        ["with a value in place of the file's", "--config milvus-a.yaml --set milvus.port=19531 check config"],
      ),
    )
    .action(host.action(async () => (await import("../actions/check-config.ts")).checkConfig));
}
