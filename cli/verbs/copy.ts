import { type Command, Option } from "commander";
import { addLockOptions, detachOption, estimateOption, nameOption, replaceOption } from "../options.ts";
import { examples, type VerbHost } from "./verb.ts";

/** Adds `copy`: copies a whole backup to where another environment keeps its backups. */
export function addCopy(program: Command, host: VerbHost): void {
  const command = program
    .command("copy")
    .description(
      "copy a whole backup to where another environment keeps its backups; started again, it goes on from what is there",
    )
    .addOption(nameOption("name of the backup").makeOptionMandatory())
    .addOption(new Option("--to <file>", "the backup.yaml of the environment that gets the backup"))
    .addOption(new Option("--to-environment <name>", "the same, with a registered environment").conflicts("to"))
    .addOption(
      new Option(
        "--plain",
        "make an incremental backup a plain one there, with every object of its own, as milvus-backup reads it",
      ),
    );
  addLockOptions(command)
    .addOption(estimateOption())
    .addOption(replaceOption())
    .addOption(detachOption())
    .addHelpText(
      "after",
      examples(
        ["from one object store to another", "--config minio-a.yaml copy -n my_backup --to minio-b.yaml"],
        [
          "what that would take, before anything is done",
          "--config minio-a.yaml copy -n my_backup --to minio-b.yaml --estimate",
        ],
        ["an incremental one, for milvus-backup", "--config minio-a.yaml copy -n nightly_2 --plain --to minio-b.yaml"],
        ["between registered environments", "--environment prod copy -n my_backup --to-environment dr"],
      ),
    )
    .action(host.action(async () => (await import("../actions/copy.ts")).copy));
}
