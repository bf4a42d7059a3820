import { type Command, Option } from "commander";
import {
  addSelectionOptions,
  confirmOption,
  detachOption,
  estimateOption,
  nameOption,
  replaceOption,
} from "../options.ts";
import { examples, type VerbHost } from "./verb.ts";

/** Adds `restore`: restores collections through the pipeline. */
export function addRestore(program: Command, host: VerbHost): void {
  const command = program
    .command("restore")
    .description("restore collections into the Milvus of the config, under their names or new ones")
    .addOption(nameOption("name of the backup").makeOptionMandatory());
  addSelectionOptions(
    command,
    "of what is restored only this, by its names in the target: coll_bak, db2.coll2 or db2.*",
  )
    .addOption(new Option("-s, --suffix <suffix>", "appended to every collection's name"))
    .addOption(
      new Option(
        "-r, --rename <pairs>",
        "coll:coll2,db.coll:db2.coll3,db3.*:db4.*; several names of one collection (coll:a,coll:b) get all its rows each; what is renamed gets no suffix",
      ),
    )
    .addOption(
      new Option(
        "--plan <file>",
        "names, shards and descriptions of many collections in one file, YAML or JSON: a restore plan of milvus-backup (docs/restore-plan.md)",
      ).conflicts(["suffix", "rename", "filter"]),
    )
    .addOption(new Option("--from <file>", "the backup lies where this other backup.yaml keeps its backups"))
    .addOption(new Option("--from-environment <name>", "the same, with a registered environment").conflicts("from"))
    .addOption(
      new Option("--drop-existing", "replace a collection of that name once the new one is complete").conflicts(
        "skipCreate",
      ),
    )
    .addOption(new Option("--keep-replaced", "with --drop-existing: keep what is replaced, as coll_replaced_<id>"))
    .addOption(new Option("--skip-create", "import into collections that exist with the same schema"))
    .addOption(new Option("--metadata-only", "collections, partitions, indexes and aliases without rows"))
    .addOption(
      new Option(
        "--rbac",
        "users, roles, grants and privilege groups of the backup too; what is there stays as it is (docs/rbac.md)",
      ),
    )
    .addOption(new Option("--no-index", "recreate no index (and load nothing)"))
    .addOption(new Option("--shards <number>", "shards of every collection, in place of those in the backup"))
    .addOption(new Option("--max-shards <number>", "no collection gets more shards than these").conflicts("shards"))
    .addOption(new Option("--description <text>", "description of every collection, in place of those in the backup"))
    .addOption(
      new Option("--use-auto-index", "vector indexes as AUTOINDEX with their metric, without their other parameters"),
    )
    .addOption(new Option("--skip-properties <keys>", "leave out properties of collections: collection.ttl.seconds"))
    .addOption(new Option("--skip-field-params <keys>", "leave out parameters of fields: mmap.enabled"))
    .addOption(new Option("--skip-index-params <keys>", "leave out parameters of indexes"))
    .addOption(new Option("--no-load", "load nothing; otherwise what was loaded is loaded again"))
    .addOption(
      new Option(
        "--verify <what>",
        "compare the backup with what was backed up first: none, size, or content, reading what cannot be compared otherwise " +
          "(default: content where no object is read for it, else size)",
      ).choices(["none", "size", "content"]),
    )
    .addOption(
      new Option(
        "--signed-by <key-arn>",
        "believe nothing of the backup that this KMS key did not sign (signBackups where it was made); contents are compared",
      ),
    )
    .addOption(
      new Option(
        "--small-partitions <how>",
        "import: insert no rows; insert (default): where Milvus 2.2 or 2.3 would take longer to import small partitions, one after another, " +
          "their rows are inserted",
      ).choices(["import", "insert"]),
    )
    .addOption(
      new Option("--discard", "remove what a failed restore of the same names left; what it moved aside comes back"),
    )
    .addOption(
      new Option(
        "--rebuild-index",
        "with --skip-create: make the backup's indexes on fields that have none (collections that are made have them anyway)",
      ).conflicts("index"),
    )
    .addOption(
      new Option(
        "--drop-exist-index",
        "with --skip-create: the same, and put the backup's indexes in the place of others, once all rows are there",
      ).conflicts("index"),
    )
    // Asked for by milvus-backup's command lines: what it has to be told, happens here anyway.
    .addOption(new Option("--use-v2-restore").hideHelp())
    .addOption(estimateOption())
    .addOption(confirmOption("restore into it"))
    .addOption(replaceOption())
    .addOption(detachOption())
    .addHelpText(
      "after",
      examples(
        ["one collection, as coll_bak", "--config milvus-b.yaml restore -c coll -n my_backup -s _bak"],
        ["under other names", "--config milvus-b.yaml restore -n my_backup --rename coll:shop.coll2,old:new"],
        ["a database as another one", "--config milvus-b.yaml restore -n my_backup --rename 'shop.*:shop_copy.*'"],
        ["with users, roles and grants", "--config milvus-b.yaml restore -n with_users --rbac"],
        ["many names, each with its shards", "--config milvus-b.yaml restore -n my_backup --plan restore-plan.yaml"],
        [
          "rows and indexes into a collection that is there",
          "--config milvus-b.yaml restore -c coll -n my_backup --skip-create --drop-exist-index",
        ],
        [
          "what that would take, before anything is done",
          "--config milvus-b.yaml restore -n my_backup -s _bak --estimate",
        ],
        ["a backup that lies elsewhere", "--config milvus-b.yaml restore -n my_backup --from milvus-a.yaml"],
        ["into a protected environment", "--environment prod restore -c coll -n my_backup -s _bak --confirm prod"],
        [
          "clean up after a restore that failed",
          "--config milvus-b.yaml restore -c coll -n my_backup -s _bak --discard",
        ],
      ),
    )
    .action(host.action(async () => (await import("../actions/restore.ts")).restore));
}
