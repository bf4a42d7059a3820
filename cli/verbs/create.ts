import { type Command, Option } from "commander";
import {
  addLockOptions,
  addSelectionOptions,
  detachOption,
  estimateOption,
  nameOption,
  replaceOption,
  strategies,
} from "../options.ts";
import { examples, type VerbHost } from "./verb.ts";

/** Adds `create`: backs up collections through the pipeline. */
export function addCreate(program: Command, host: VerbHost): void {
  const command = program
    .command("create")
    .description("back up collections: flush, copy their segments, write the metas")
    .addOption(nameOption("name of the backup; made from the time where absent"));
  addLockOptions(addSelectionOptions(command))
    .addOption(
      new Option("--strategy <name>", "flush first, or take what is flushed, or no data at all")
        .choices(Object.keys(strategies))
        .conflicts(["force", "metadataOnly"]),
    )
    .addOption(new Option("-f, --force", "do not flush first (--strategy=skip_flush)").conflicts("metadataOnly"))
    .addOption(new Option("--metadata-only", "schemas and indexes without data (--strategy=meta_only)"))
    .addOption(
      new Option("--incremental", "store only what the backup root does not hold yet of this Milvus").conflicts(
        "metadataOnly",
      ),
    )
    .addOption(
      new Option("--rbac", "users with their hashed passwords, roles, grants and privilege groups too (docs/rbac.md)"),
    )
    .addOption(estimateOption())
    .addOption(new Option("--backup-index-extra").hideHelp())
    .addOption(replaceOption())
    .addOption(detachOption())
    .addHelpText(
      "after",
      examples(
        ["one collection", "--config milvus-a.yaml create -c coll -n my_backup"],
        ["a whole database and one collection more", "--config milvus-a.yaml create --filter 'shop.*,coll' -n nightly"],
        ["every night, at the price of what is new", "--config milvus-a.yaml create --incremental -n nightly_2"],
        ["what that would take, before anything is done", "--config milvus-a.yaml create --filter 'shop.*' --estimate"],
        ["with users, roles and grants", "--config milvus-a.yaml create -n with_users --rbac"],
        ["that nobody deletes for 30 days", "--config milvus-a.yaml create -n month_end --lock 30d"],
        ["from a script, with a registered environment", "--environment prod --json create -n nightly --detach"],
      ),
    )
    .action(host.action(async () => (await import("../actions/create.ts")).create));
}
