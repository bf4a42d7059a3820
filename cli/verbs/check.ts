import { type Command, Option } from "commander";
import { examples, type VerbHost } from "./verb.ts";

/** Adds `check`: is everything there that a backup needs? */
export function addCheck(program: Command, host: VerbHost): void {
  program
    .command("check")
    .description("read the config, connect to both buckets and to Milvus, find the deployed pipeline; changes nothing")
    .addOption(new Option("--no-milvus", "leave Milvus out: only the pipeline's network reaches it"))
    .addHelpText("after", examples(["before the first backup", "--config milvus-a.yaml check"]))
    .action(host.action(async () => (await import("../actions/check.ts")).check));
}
