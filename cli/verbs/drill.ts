import { type Command, Option } from "commander";
import { addSelectionOptions, confirmOption, detachOption, nameOption, replaceOption } from "../options.ts";
import { examples, type VerbHost } from "./verb.ts";

/** Adds `drill`: proves that a backup can be restored, by restoring it under names of its own. */
export function addDrill(program: Command, host: VerbHost): void {
  const command = program
    .command("drill")
    .description(
      "restore a backup of the config under names of its own, count, compare and search what came back, drop it again, and tell how long that took",
    )
    .addOption(nameOption("name of the backup (one of those that lie there, where absent)"))
    .addOption(
      new Option("--pick <which>", "without a name: the newest, or a random one").choices(["newest", "random"]),
    )
    .addOption(new Option("--of <schedule>", "without a name: only backups of this schedule of pipeline.yaml"));
  addSelectionOptions(command)
    .addOption(new Option("--into <file>", "restore into the Milvus of this other backup.yaml"))
    .addOption(new Option("--into-environment <name>", "the same, with a registered environment").conflicts("into"))
    .addOption(
      new Option("--clean", "restore nothing: remove what drills left that were stopped or died").conflicts([
        "name",
        "pick",
        "of",
      ]),
    )
    .addOption(confirmOption("restore into it"))
    .addOption(replaceOption())
    .addOption(detachOption())
    .addHelpText(
      "after",
      examples(
        ["can this backup be restored, and how quickly", "--config milvus-b.yaml drill -n my_backup"],
        [
          "one collection of it, into another Milvus",
          "--config milvus-a.yaml drill -n my_backup -c coll --into milvus-b.yaml",
        ],
        ["any backup of a schedule", "--environment prod drill --of nightly --pick random --into-environment staging"],
        ["what drills left that were stopped", "--config milvus-b.yaml drill --clean"],
      ),
    )
    .action(host.action(async () => (await import("../actions/drill.ts")).drill));
}
