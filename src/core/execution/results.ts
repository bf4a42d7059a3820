import * as z from "zod";
import { exportFormats, restoreInput } from "./inputs.ts";
import { objectLock } from "./object-lock.ts";
import { copyItem } from "./requests.ts";

/** What Lambdas answer, and what executions put out. */

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
const rbacCounts = z.object({ users: count, roles: count, grants: count, privilegeGroups: count });

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
const searchedField = z.object({
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
  /** Sentences: why it was skipped, or what a discard could not reach; absent where there are none. */
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
  /** Databases of the target that are there now, and of which the backup has no collection; absent where there are none. As many as fit. */
  databases: z.array(z.string()).readonly().optional(),
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
  discarded: prepareRestoreResult.omit({ few: true }).extend({ outcome: z.literal("discarded") }),
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
    /** true: the server has refused the end of an import in milliseconds. */
    hybridEnd: z.literal(true).optional(),
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
