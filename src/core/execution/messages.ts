import * as z from "zod";
import { lockSettings, objectLock } from "./object-lock.ts";

/**
 * What travels between state machines, Lambdas and the work bucket. Execution inputs are the public contract: schedules,
 * consoles, triggers and the CLI all send these. Everything else is internal. States carry names, keys and counts only;
 * plans, batches and receipts are files in the work bucket (a state's payload is capped at 256 KiB).
 */

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

/** Which execution a Lambda works for; from the Step Functions context object. */
export const executionRef = z.object({
  /** `$$.Execution.Name` */
  name: z.string().min(1),
  /** `$$.Execution.Id` (the ARN) */
  id: z.string().min(1),
  /** `$$.Execution.StartTime`, ISO 8601 */
  startTime: z.string().min(1),
});
export type ExecutionRef = z.infer<typeof executionRef>;

/** What every step but those of the maps gets: the execution, its input, and the counter of the loop it stands in. */
function stepRequest<T extends z.ZodType>(input: T) {
  return z.object({
    execution: executionRef,
    input,
    /** How many times the step has run before in this execution, as the machine counts it. */
    attempt: z.number().int().min(0).default(0),
    /** How often this very call was tried before (`$$.State.RetryCount`); steps of loops answer what a round adds to the history. */
    retries: z.number().int().min(0).optional(),
  });
}
export const backupStepRequest = stepRequest(backupInput);
export type BackupStepRequest = z.infer<typeof backupStepRequest>;
export const drillStepRequest = stepRequest(drillInput);
export type DrillStepRequest = z.infer<typeof drillStepRequest>;
export const exportStepRequest = stepRequest(exportInput);
export type ExportStepRequest = z.infer<typeof exportStepRequest>;
export const restoreStepRequest = stepRequest(restoreInput);
export type RestoreStepRequest = z.infer<typeof restoreStepRequest>;
export const transferStepRequest = stepRequest(transferInput);
export type TransferStepRequest = z.infer<typeof transferStepRequest>;
export const verifyStepRequest = stepRequest(verifyInput);
export type VerifyStepRequest = z.infer<typeof verifyStepRequest>;

/** What the failure states hand to Release: what failed, as Step Functions caught it. */
export const caughtFailure = z.object({ Error: z.string(), Cause: z.string().default("") });
export type CaughtFailure = z.infer<typeof caughtFailure>;

/** What Copy Segments and Export Segments get: one item of the distributed map. */
export const copySegmentsRequest = z.object({
  execution: executionRef.shape.name,
  /** Key of the batch file in the work bucket. */
  batchKey: z.string().min(1),
  /** How its function ended before without an answer: killed, or out of time. */
  died: caughtFailure.optional(),
});
export type CopySegmentsRequest = z.infer<typeof copySegmentsRequest>;

/** One item of the item file. */
export const copyItem = copySegmentsRequest.pick({ batchKey: true });
export type CopyItem = Readonly<z.infer<typeof copyItem>>;

const count = z.number().int().min(0);
const warnings = z.array(z.string()).readonly();

/** So many batches are copied by the execution itself; more take a map run of their own, which starts in seconds. */
export const fewBatches = 8;

/** What the preparing steps answer. `itemsKey` names the JSON array of CopyItem in the work bucket. */
const preparedCopies = z.object({
  itemsKey: z.string(),
  batches: count,
  segments: count,
  /** The items themselves, where there are some, and `fewBatches` at most. */
  few: z.array(copyItem).min(1).max(fewBatches).readonly().optional(),
});
export type PreparedCopies = Readonly<z.infer<typeof preparedCopies>>;

const prepareBackupResult = preparedCopies.extend({
  /** `planning`: there is no time left for the other collections; prepare again, which goes on with them. */
  outcome: z.enum(["planned", "planning"]),
  backupName: z.string(),
  collections: count,
  attempt: count,
});
export type PrepareBackupResult = Readonly<z.infer<typeof prepareBackupResult>>;

const copySegmentsResult = z.object({
  outcome: z.enum(["copied", "source-changed", "cancelled"]),
  receiptKey: z.string(),
});
export type CopySegmentsResult = Readonly<z.infer<typeof copySegmentsResult>>;

/** Users, roles, grants and privilege groups of a backup. */
export const rbacCounts = z.object({ users: count, roles: count, grants: count, privilegeGroups: count });

const finalizeBackupResult = z.object({
  /** `source-changed`: segments vanished while they were copied; prepare again and go on. */
  outcome: z.enum(["backed-up", "source-changed"]),
  backupName: z.string(),
  collections: count,
  segments: count,
  objects: count,
  /** Bytes in the backup, as a decimal string would not fit a state's number filters: below 2^53 always. */
  bytes: count,
  /** Of an incremental backup: what was not stored before. */
  newObjects: count.optional(),
  newBytes: count.optional(),
  /** Every object of the backup is locked so, at the least. */
  lock: objectLock.optional(),
  /** What it holds of who may do what; absent where it was not asked for. */
  rbac: rbacCounts.optional(),
  warnings,
});
export type FinalizeBackupResult = Readonly<z.infer<typeof finalizeBackupResult>>;

const prepareDrillResult = z.discriminatedUnion("outcome", [
  z.object({
    outcome: z.literal("planned"),
    backupName: z.string(),
    collections: count,
    /** Name of the execution of the machine `restore` that it starts, and its input. */
    restoreExecution: z.string(),
    restore: restoreInput,
  }),
  z.object({
    outcome: z.literal("cleaned"),
    /** Drills of which nothing is left now. */
    drills: count,
    /** Sentences: what could not be removed. */
    warnings,
  }),
]);
export type PrepareDrillResult = Readonly<z.infer<typeof prepareDrillResult>>;

/** What was searched in one vector field of a drilled collection. */
export const searchedField = z.object({
  field: z.string(),
  /** As Milvus calls them: `HNSW`, `L2`. */
  indexType: z.string(),
  metricType: z.string(),
  /** Vectors of the backup that were searched for. */
  queries: count,
  /** How many of them found themselves first. */
  found: count,
  /** Recall of a search among the sample against brute force on the sample: 0 to 1. */
  recall: z.number(),
});
export type SearchedField = Readonly<z.infer<typeof searchedField>>;

export const drilledCollection = z.object({
  /** `db.coll` in the backup. */
  from: z.string(),
  /** `db.coll` that the drill made, and dropped. */
  to: z.string(),
  /** ID of what it made. */
  id: z.string(),
  /** As the restore counted them, decimal. */
  rows: z.string(),
  /** As a query counted them, decimal; absent where it cannot be loaded. */
  counted: z.string().optional(),
  /** Rows of the backup that were looked for by their keys, and compared field by field. */
  compared: count,
  /** Fields that were compared. */
  fields: z.array(z.string()).readonly(),
  searched: z.array(searchedField).readonly(),
  /** Sentences: what was not looked at, and why. */
  leftOut: z.array(z.string()).readonly(),
});
export type DrilledCollection = Readonly<z.infer<typeof drilledCollection>>;

const drillResult = z.object({
  backupName: z.string(),
  environment: z.string(),
  /** Seconds from the start of the restore to the first answers of all collections to a search. */
  rtoSeconds: z.number().optional(),
  /** Seconds between the earliest instant of the backup and the start of the drill; absent where the backup has none. */
  rpoSeconds: z.number().optional(),
  /** As many as fit; a warning says where the others are listed. */
  collections: z.array(drilledCollection).readonly(),
  warnings,
});

export const searchDrillResult = drillResult.extend({
  /** `searching`: there is more to load or to look at; ask again. */
  outcome: z.enum(["searched", "searching"]),
  waitSeconds: z.number(),
  /** While `searching`: of this round in the history of the execution. */
  events: count.optional(),
});
export type SearchDrillResult = Readonly<z.infer<typeof searchDrillResult>>;

const cleanDrillResult = drillResult.extend({ outcome: z.literal("drilled") });
export type CleanDrillResult = Readonly<z.infer<typeof cleanDrillResult>>;

const prepareExportResult = preparedCopies.extend({
  outcome: z.literal("planned"),
  backupName: z.string(),
  collections: count,
});
export type PrepareExportResult = Readonly<z.infer<typeof prepareExportResult>>;

const exportSegmentsResult = z.object({
  outcome: z.enum(["exported", "cancelled"]),
  receiptKey: z.string(),
});
export type ExportSegmentsResult = Readonly<z.infer<typeof exportSegmentsResult>>;

const finalizeExportResult = z.object({
  outcome: z.literal("exported"),
  backupName: z.string(),
  format: z.enum(exportFormats),
  /** `s3://bucket/prefix/` */
  destination: z.string(),
  collections: count,
  /** Living rows, each of which is in one file. */
  rows: count,
  /** Rows of the backup that are in none: deleted, or later than the instant. */
  leftOut: count,
  /** Without the manifest. */
  files: count,
  bytes: count,
  warnings,
});
export type FinalizeExportResult = Readonly<z.infer<typeof finalizeExportResult>>;

const prepareRestoreResult = preparedCopies.extend({
  /**
   * - `discarded`: the input asked to discard, and that is done
   * - `skipped`: a trigger started it, and what was restored last is this backup or a newer one
   */
  outcome: z.enum(["planned", "discarded", "skipped"]),
  backupName: z.string(),
  collections: count,
  /** Sentences: why it was skipped. */
  warnings: warnings.optional(),
});
export type PrepareRestoreResult = Readonly<z.infer<typeof prepareRestoreResult>>;

const recreateCollectionsResult = z.object({
  outcome: z.literal("recreated"),
  collections: count,
});
export type RecreateCollectionsResult = Readonly<z.infer<typeof recreateCollectionsResult>>;

const importSegmentsResult = z.object({
  outcome: z.enum(["imported", "imports-pending"]),
  imports: count,
  completed: count,
  /** 0 to 100, over all imports. */
  progress: z.number(),
  /** ISO 8601: since when Milvus does not answer, or is busy; absent where it does. */
  awaySince: z.iso.datetime().optional(),
  /** How long the machine is to wait before it asks again. */
  waitSeconds: z.number(),
  /** Of this round in the history of the execution (round-events.ts). */
  events: count,
});
export type ImportSegmentsResult = Readonly<z.infer<typeof importSegmentsResult>>;

export const restoredCollection = z.object({
  from: z.string(),
  to: z.string(),
  /** ID of the new collection: its data lies under `<rootPath>/insert_log/<id>`. */
  id: z.string(),
  /** As Milvus counts them. */
  rows: z.string(),
  loaded: z.boolean(),
  /** In the segments of the backup, decimal, with those that it also says are deleted; absent in results of earlier versions, as the next two. */
  inBackup: z.string().optional(),
  /** Of these the ones that were not imported, decimal: deleted, or later than the instant. */
  leftOut: z.string().optional(),
  /** As the imports reported them, decimal, with those that were inserted. */
  imported: z.string().optional(),
  /** Of these the rows of small partitions that were inserted in place of imported, decimal; absent where none were. */
  inserted: z.object({ partitions: count, rows: z.string() }).optional(),
  /** The collection it took the place of, `db.coll`, where that was kept. */
  replaced: z.string().optional(),
});
export type RestoredCollection = Readonly<z.infer<typeof restoredCollection>>;

const rbacOutcomes = z.object({
  /** Added by this restore. */
  restored: count,
  /** There already, and left as they were. */
  present: count,
  /** In the backup alone; a warning says why. */
  leftOut: count,
});

/** What became of the users, roles, grants and privilege groups of a backup. */
export const restoredRbac = z.object({
  users: rbacOutcomes,
  roles: rbacOutcomes,
  grants: rbacOutcomes,
  privilegeGroups: rbacOutcomes,
});
export type RestoredRbac = Readonly<z.infer<typeof restoredRbac>>;

export const finishRestoreResult = z.object({
  /** `loading`: everything is in place, collections are still loading; ask again. */
  outcome: z.enum(["restored", "loading"]),
  backupName: z.string(),
  /** Empty while `loading`; as many as fit (restore-result.ts), a warning says where the others are listed. */
  collections: z.array(restoredCollection).readonly(),
  waitSeconds: z.number(),
  /** While `loading`: of this round in the history of the execution. */
  events: count.optional(),
  /** Where the input asked for `rbac`. */
  rbac: restoredRbac.optional(),
  warnings,
});
export type FinishRestoreResult = Readonly<z.infer<typeof finishRestoreResult>>;

const prepareTransferResult = preparedCopies.extend({
  /** `already-there`: the destination holds this very backup; its objects are verified, and what is missing is copied. */
  outcome: z.enum(["planned", "already-there"]),
  backupName: z.string(),
  collections: count,
});
export type PrepareTransferResult = Readonly<z.infer<typeof prepareTransferResult>>;

const finalizeTransferResult = z.object({
  /** `already-there`: the destination held this very backup before. */
  outcome: z.enum(["transferred", "already-there"]),
  backupName: z.string(),
  collections: count,
  segments: count,
  /** Logs at the destination, with those that lay there before. */
  objects: count,
  bytes: count,
  /** How many of the objects lay there before. */
  skippedObjects: count,
  /** Every object of the copy is locked so, at the least. */
  lock: objectLock.optional(),
  warnings,
});
export type FinalizeTransferResult = Readonly<z.infer<typeof finalizeTransferResult>>;

const prepareVerifyResult = preparedCopies.extend({
  outcome: z.literal("planned"),
  backupName: z.string(),
  collections: count,
  /** The batches of rows, where some are read. */
  rows: preparedCopies.optional(),
});
export type PrepareVerifyResult = Readonly<z.infer<typeof prepareVerifyResult>>;

export const verifiedRows = z.object({
  /** Of all rows of the backup that were read, of 100. */
  percent: z.number(),
  segments: count,
  /** That were read, deleted ones included. */
  rows: count,
  /** Of these the ones that live at their collection's instant. */
  living: count,
  /** As many collections as fit; `findings.json` has all. */
  collections: z
    .array(
      z.object({
        /** `db.coll` */
        collection: z.string(),
        rows: count,
        living: count,
        /** Living rows whose key another one has, which Milvus permits where it does not give the keys out; absent where keys were not compared. */
        repeated: count.optional(),
      }),
    )
    .readonly(),
});
export type VerifiedRows = Readonly<z.infer<typeof verifiedRows>>;

const finalizeVerifyResult = z.object({
  /** `sealed`: it got a manifest. What has problems is no result: the execution fails with CorruptBackup. */
  outcome: z.enum(["verified", "sealed"]),
  backupName: z.string(),
  /** As the record beside the backup says it (format/proof.ts). */
  depth: z.enum(["size", "sample", "content", "rows"]),
  /** Of the bytes whose content was read and compared, of 100. */
  percent: z.number(),
  /** What was read of the rows, and counted; absent where none were. */
  rows: verifiedRows.optional(),
  /** Logs of the backup that were looked at, and their bytes. */
  objects: count,
  bytes: count,
  /** Of these the ones that were read. */
  readObjects: count,
  readBytes: count,
  /** Objects of which nothing but key and size could be compared, as nothing that was asked tells their content. */
  bySize: count,
  warnings,
});
export type FinalizeVerifyResult = Readonly<z.infer<typeof finalizeVerifyResult>>;

/**
 * What an execution that succeeded answers: what its last step did. Events carry it as it is; the CLI reads those of other
 * versions too.
 */
export const machineResults = {
  backedUp: finalizeBackupResult.extend({ outcome: z.literal("backed-up") }),
  drilled: cleanDrillResult,
  drillsCleaned: prepareDrillResult.options[1],
  exported: finalizeExportResult,
  restored: finishRestoreResult.omit({ events: true }).extend({ outcome: z.literal("restored") }),
  discarded: prepareRestoreResult.omit({ warnings: true, few: true }).extend({ outcome: z.literal("discarded") }),
  skipped: prepareRestoreResult.omit({ few: true }).extend({ outcome: z.literal("skipped"), warnings }),
  transferred: finalizeTransferResult,
  verified: finalizeVerifyResult,
} as const;

/**
 * `progress.json` of a restore whose collections are made: what is going on in Milvus. From `replacing` on collections get their target
 * names, from `loading` on all have them, which is what Release goes by.
 */
export const progressRecord = z.discriminatedUnion("phase", [
  importSegmentsResult.pick({ imports: true, completed: true, progress: true, awaySince: true }).extend({
    phase: z.literal("importing"),
    /** Why the imports of this execution failed for good: whoever asks again is told the same. */
    failure: z.string().optional(),
  }),
  z.object({ phase: z.enum(["replacing", "loading"]) }),
]);
export type ProgressRecord = Readonly<z.infer<typeof progressRecord>>;

/** What Release answers: the failure again for the Fail state, and what the execution leaves behind ("" for nothing). */
const releaseResult = z.object({
  error: z.string(),
  cause: z.string(),
  left: z.string(),
});
export type ReleaseResult = Readonly<z.infer<typeof releaseResult>>;
