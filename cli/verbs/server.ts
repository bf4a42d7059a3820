import { type Command, Option } from "commander";
import { examples, type VerbHost } from "./verb.ts";

/** Adds `server`: milvus-backup's REST API. */
export function addServer(program: Command, host: VerbHost): void {
  program
    .command("server")
    .description(
      "answer milvus-backup's REST API (/api/v1: create, list, get_backup, delete, restore, get_restore, check) with executions of the pipeline, until Ctrl-C. " +
        "Whoever reaches it may restore and delete: give it a token where others do",
    )
    .addOption(new Option("-p, --port <port>", "where it listens; 0: a free one").env("SERVER_PORT").default("8080"))
    .addOption(new Option("--host <address>", "on which address; 0.0.0.0: on all of them").default("127.0.0.1"))
    .addOption(
      new Option(
        "--token-file <file>",
        "requests must have this file's content as token (Authorization: Bearer TOKEN); or MILVUS_BACKUP_SERVER_TOKEN in the environment",
      ),
    )
    .addOption(
      new Option(
        "--no-token",
        "on an address that other machines reach: without a token, as something in front of it asks who comes",
      ),
    )
    .addHelpText(
      "after",
      examples(
        ["for programs on this machine", "--config milvus-a.yaml server"],
        ["for others, with a token", "--config milvus-a.yaml server --host 0.0.0.0 --token-file token.txt"],
        ["a registered environment, on another port", "--environment prod server -p 9000"],
      ),
    )
    .action(host.action(async () => (await import("../actions/server.ts")).server));
}
