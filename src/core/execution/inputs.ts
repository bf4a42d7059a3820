import * as z from "zod";
import { lockSettings } from "./object-lock.ts";

/** Inputs of executions: the public contract. Schedules, consoles, triggers and the CLI all send these. */

const nameList = z.array(z.string().min(1));

/** What Milvus's protocol has room for. */
const largestInt32 = 2 ** 31 - 1;

/** Names schedules and restore triggers; it becomes a part of names of backups, executions and AWS resources. */
export const scheduleName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/, {
  error: "use a letter or digit, then up to 39 of [A-Za-z0-9_-]",
});

/** Never an alias, which others may point elsewhere. */
export const signingKeyArn = z.string().regex(/^arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]+$/, {
  error: "is no ARN of a KMS key: use arn:aws:kms:REGION:ACCOUNT:key/ID",
});

/** Input of the state machine `backup`. */
export const backupInput = z.strictObject({
  /** The registered environment to back up. */
  environment: z.string().min(1),
  /** Made from the start time where absent: `backup_2026_11_21_11_03_07`. */
  backupName: z.string().optional(),
  /** `coll`, `db.coll` or `db.*`; absent or empty means all. */
  collections: nameList.optional(),
  /**
   * `flush` (default) seals what is in memory: of a backup of everything with one flush of the whole server, where Milvus can (2.6.11+), otherwise of
   * each collection; `bulk_flush` and `serial_flush` say which. `skip_flush` takes what is sealed; `meta_only` copies no data.
   */
  strategy: z.enum(["flush", "bulk_flush", "serial_flush", "skip_flush", "meta_only"]).optional(),
  /** true: what the backup root holds already of the same Milvus is not stored again. */
  incremental: z.boolean().optional(),
  /** true: users with their hashed passwords, roles, grants and privilege groups go into the backup too. */
  rbac: z.boolean().optional(),
  /** How long what is written stays locked: `30d`, or `{"for": "30d", "mode": "compliance"}`; as the environment says where absent. */
  lock: lockSettings.optional(),
  /** The schedule of pipeline.yaml that starts it: the backup is named after it and falls under its retention. */
  schedule: scheduleName.optional(),
  /** The time it was scheduled for, ISO 8601; anything else (a placeholder nobody filled in) is ignored. */
  scheduledTime: z.string().optional(),
});
export type BackupInput = z.infer<typeof backupInput>;

/** Input of the state machine `drill`. */
export const drillInput = z.strictObject({
  /** The registered environment to restore into; what is made there is dropped again. */
  environment: z.string().min(1),
  /** Where the backups lie, when that is another environment's backup bucket. */
  from: z.string().min(1).optional(),
  /** The backup to prove; one of those that lie there where absent. */
  backupName: z.string().min(1).optional(),
  /** Only backups of this schedule of pipeline.yaml are chosen from. */
  of: scheduleName.optional(),
  /** Which of them; `newest` where absent. */
  pick: z.enum(["newest", "random"]).optional(),
  /** As in the backup: `coll`, `db.coll` or `db.*`; absent or empty means all. */
  collections: nameList.optional(),
  /** The drill of pipeline.yaml that starts it: its successes are counted for its alarm. */
  drill: scheduleName.optional(),
  /** true: remove what drills left behind that were stopped or died, restore nothing. */
  clean: z.boolean().optional(),
  /** `environment` once more, where that is a protected one. */
  confirm: z.string().min(1).optional(),
});
export type DrillInput = z.infer<typeof drillInput>;

/** What the files of an export are. */
export const exportFormats = ["parquet", "arrow", "jsonl"] as const;
export type ExportFormat = (typeof exportFormats)[number];

/** Input of the state machine `export`. */
export const exportInput = z.strictObject({
  /** The registered environment whose backup bucket holds the backup. */
  environment: z.string().min(1),
  backupName: z.string().min(1),
  /** Where the files go: `s3://bucket/prefix`, in the store where the backups lie, or that of `toEnvironment`. */
  destination: z.string().min(1),
  /** The registered environment whose backup store, with its credentials, gets the files. */
  toEnvironment: z.string().min(1).optional(),
  /** `parquet` where absent. */
  format: z.enum(exportFormats).optional(),
  /** As in the backup: `coll`, `db.coll` or `db.*`; absent or empty means all. */
  collections: nameList.optional(),
});
export type ExportInput = z.infer<typeof exportInput>;

/** What one collection is made with, in place of what the backup has. */
const collectionOverride = z.strictObject({
  shards: z.number().int().min(1).max(largestInt32).optional(),
  description: z.string().optional(),
});

/** Input of the state machine `restore`. */
export const restoreInput = z.strictObject({
  /** The registered environment to restore into. */
  environment: z.string().min(1),
  backupName: z.string().min(1),
  /** Where the backup lies, when that is another environment's backup bucket. */
  from: z.string().min(1).optional(),
  /** As in the backup: `coll`, `db.coll` or `db.*`; absent or empty means all. */
  collections: nameList.optional(),
  /** Appended to every collection's name. */
  suffix: z.string().optional(),
  /**
   * `{"coll": "shop.coll2", "shop.*": "shop2.*"}`: by name in the backup, to the name in the target or a list of names, of which each gets
   * all rows; a collection's own name wins over its database's, and what is renamed gets no suffix.
   */
  renames: z
    .record(
      z.string(),
      z.union([z.string(), nameList], {
        error: "expected string or a list of strings: coll2, db.coll2 or db2.*",
      }),
    )
    .optional(),
  /** Of what the restore makes, only this, by name in the target: `coll`, `db.coll` or `db.*`; absent or empty means all. */
  targets: nameList.optional(),
  /** Replace a target collection of that name, once the new one is complete. */
  dropExisting: z.boolean().optional(),
  /** true: a collection that is replaced stays, under the name that the result tells. */
  keepReplaced: z.boolean().optional(),
  /** Import into collections that exist already with the same schema. */
  skipCreate: z.boolean().optional(),
  /**
   * With skipCreate, what becomes of the indexes of those collections: `keep` (where absent) leaves them; `add` makes the backup's on fields that
   * have none; `replace` also puts the backup's in the place of others, when all rows are there.
   */
  existingIndexes: z.enum(["keep", "add", "replace"]).optional(),
  /** Collections, partitions, indexes and aliases without any rows. */
  metadataOnly: z.boolean().optional(),
  /** false: recreate no index (and load nothing). */
  indexes: z.boolean().optional(),
  /** Shards of every collection that is made; as in the backup where absent. */
  shards: z.number().int().min(1).max(largestInt32).optional(),
  /** No collection that is made gets more shards than these. */
  maxShards: z.number().int().min(1).max(largestInt32).optional(),
  /** Description of every collection that is made; as in the backup where absent. */
  description: z.string().optional(),
  /** What single collections are made with, by name in the target: it wins over `shards`, `maxShards` and `description`. */
  overrides: z.record(z.string(), collectionOverride).optional(),
  /** true: vector indexes are AUTOINDEX with the metric of the backup's, and none of their other parameters. */
  autoIndex: z.boolean().optional(),
  /** Properties of collections that are left out: `collection.ttl.seconds`. */
  skipProperties: nameList.optional(),
  /** Parameters of fields that are left out: `mmap.enabled`. */
  skipFieldParams: nameList.optional(),
  /** Parameters of indexes that are left out. */
  skipIndexParams: nameList.optional(),
  /** false: sets no alias. */
  aliases: z.boolean().optional(),
  /** true: users, roles, grants and privilege groups of the backup are added to those of the target; what is there stays as it is. */
  rbac: z.boolean().optional(),
  /** false: load nothing; otherwise what was loaded is loaded again (not under skipCreate: that collection stays as it is). */
  load: z.boolean().optional(),
  /**
   * How far what is restored is compared with what was backed up, before anything is made in Milvus: `none`, `size` (keys and sizes) or
   * `content`, which reads what cannot be compared otherwise. Absent: contents where no object is read for it, sizes of the others.
   */
  verify: z.enum(["none", "size", "content"]).optional(),
  /**
   * ARN of an asymmetric KMS key: nothing of the backup is believed that this key did not sign, for its name in its place. Contents are
   * compared then, whatever has to be read for it.
   */
  signedBy: signingKeyArn.optional(),
  /**
   * `import`: no rows are inserted. Otherwise the rows of small partitions are, where Milvus (2.2 and 2.3) would take longer to import them, as it does
   * one partition after another.
   */
  smallPartitions: z.enum(["import", "insert"]).optional(),
  /** true: remove what a failed restore of the same names left behind, restore nothing. */
  discard: z.boolean().optional(),
  /** `environment` once more, where that is a protected one. */
  confirm: z.string().min(1).optional(),
  /** The restore trigger of pipeline.yaml that starts it: a backup older than what was restored last into the same target is skipped. */
  trigger: scheduleName.optional(),
});
export type RestoreInput = z.infer<typeof restoreInput>;

/** Input of the state machine `transfer`. */
export const transferInput = z.strictObject({
  backupName: z.string().min(1),
  from: z.string().min(1),
  to: z.string().min(1),
  /** true: an incremental backup becomes a plain one there, with every object of its own, as milvus-backup reads it. */
  plain: z.boolean().optional(),
  /** How long the copy stays locked; as the environment that gets it says where absent. */
  lock: lockSettings.optional(),
});
export type TransferInput = z.infer<typeof transferInput>;

/** Input of the state machine `verify`: of `backupName` and `schedule` exactly one. */
export const verifyInput = z
  .strictObject({
    /** The registered environment whose backup bucket holds the backup. */
    environment: z.string().min(1),
    backupName: z.string().min(1).optional(),
    /** The newest complete backup that this schedule of pipeline.yaml made. */
    schedule: scheduleName.optional(),
    /** Percent of the bytes of a backup that are read and compared with its manifest; absent: none, the store's own checksums are. */
    readData: z.number().gt(0).max(100).optional(),
    /** Percent of the rows that are read and counted, segment by segment; absent: none. */
    rows: z.number().gt(0).max(100).optional(),
    /** true: a backup without a manifest is read whole and gets one. */
    seal: z.boolean().optional(),
  })
  .refine(({ backupName, schedule }) => (backupName === undefined) !== (schedule === undefined), {
    error: "takes either backupName or schedule",
    path: ["backupName"],
  })
  .refine(({ seal, readData, schedule }) => !seal || (readData === undefined && schedule === undefined), {
    error: "reads everything of one backup: it goes without readData and schedule",
    path: ["seal"],
  });
export type VerifyInput = z.infer<typeof verifyInput>;
