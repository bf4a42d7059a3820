import { type Command, Option } from "commander";
import { detachOption, nameOption, replaceOption } from "../options.ts";
import { examples, type VerbHost } from "./verb.ts";

/** Adds `verify`: looks whether a backup is what it was. */
export function addVerify(program: Command, host: VerbHost): void {
  program
    .command("verify")
    .description(
      "look whether every object of a backup is there and is what it was; names what is missing, extra, truncated or altered, with --rows also rows that cannot be right, and exits with 1 then",
    )
    .addOption(nameOption("name of the backup").makeOptionMandatory())
    .addOption(
      new Option(
        "--read-data [percent]",
        "read the objects themselves, all of them or a random sample by bytes (10%), in place of the store's own checksums",
      ).conflicts("seal"),
    )
    .addOption(
      new Option(
        "--rows [percent]",
        "read the rows too, all of them or those of random segments (10%): as many in every field as the metas say, keys that Milvus gave out there once",
      ),
    )
    .addOption(
      new Option(
        "--seal",
        "give a backup without a manifest (milvus-backup's) one: reads everything, and writes checksums",
      ),
    )
    .addOption(new Option("-y, --yes", "do not ask whether what reading costs is worth it"))
    .addOption(replaceOption())
    .addOption(detachOption())
    .addHelpText(
      "after",
      examples(
        ["keys, sizes and the store's checksums", "--config milvus-a.yaml verify -n my_backup"],
        ["every byte, without a question", "--config milvus-a.yaml verify -n my_backup --read-data --yes"],
        ["a tenth of the bytes, other ones each time", "--config milvus-a.yaml verify -n my_backup --read-data=10%"],
        ["every byte and every row", "--config milvus-a.yaml verify -n my_backup --read-data --rows --yes"],
        ["rows of some segments, of any tool's backup", "--config milvus-a.yaml verify -n old --rows=10%"],
        ["a backup of milvus-backup, to compare contents from then on", "--config milvus-a.yaml verify -n old --seal"],
      ),
    )
    .action(host.action(async () => (await import("../actions/verify.ts")).verify));
}
