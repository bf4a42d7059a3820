import * as z from "zod";
import { exportFormats } from "../../src/core/execution/messages.ts";
import {
  copied,
  count,
  documentOf,
  executionArn,
  executionState,
  id,
  lock,
  machine,
  milliseconds,
  problem,
  rbac,
  restoredRbac,
  rowsLooked,
  time,
  verifiedDepth,
  warnings,
} from "./vocabulary.ts";

/** What every execution tells that succeeded. */
const succeeded = { state: z.literal("succeeded"), backupName: z.string(), warnings, executionArn, milliseconds };

/** `bucket/root path/name/`; absent where the environment is not registered any more. */
const location = z.string().optional();

/** `create` */
export const create = documentOf("create", {
  ...succeeded,
  outcome: z.literal("backed-up"),
  environment: z.string(),
  location,
  collectionCount: count,
  segments: count,
  objects: count,
  bytes: count,
  /** Of an incremental backup: what was not stored before. */
  newObjects: count.optional(),
  newBytes: count.optional(),
  /** Every object of it is locked so, at the least; absent where it is not. */
  lock: lock.optional(),
  /** With `--rbac`. */
  rbac: rbac.optional(),
});

/** A collection that a restore made or filled. */
const restoredCollection = z.strictObject({
  /** `db.coll` in the backup. */
  from: z.string(),
  /** `db.coll` in the target. */
  to: z.string(),
  /** Of the new collection. */
  id,
  /** As Milvus counts them. */
  rows: count,
  /** Rows in the segments of the backup, with those that it also says are deleted; absent, as the next two, from earlier pipelines. */
  inBackup: count.optional(),
  /** Of these the ones that were not imported: deleted, or later than the instant. */
  leftOut: count.optional(),
  /** As the imports reported them, with those that were inserted. */
  imported: count.optional(),
  /** Of these the rows of small partitions that were inserted in place of imported; absent where none were. */
  inserted: z.object({ partitions: count, rows: count }).optional(),
  loaded: z.boolean(),
  /** The collection it took the place of, where that was kept. */
  replaced: z.string().optional(),
  /** Where its data lies in Milvus's bucket. */
  location,
});

/** `restore` */
export const restore = documentOf("restore", {
  ...succeeded,
  /** `discarded`: what a failed restore left is removed. `skipped`: a trigger's, as this backup or a newer one was restored there last. */
  outcome: z.enum(["restored", "discarded", "skipped"]),
  environment: z.string(),
  /** Empty unless `restored`. */
  collections: z.array(restoredCollection),
  /** Databases in the target of which the backup has no collection; absent where there are none. */
  databases: z.array(z.string()).optional(),
  /** With `--rbac`. */
  rbac: restoredRbac.optional(),
  segments: count.optional(),
  bytes: count.optional(),
  /** What had to be copied to where Milvus reads it. */
  staged: copied.optional(),
});

/** `copy` */
export const copy = documentOf("copy", {
  ...succeeded,
  /** `already-there`: the destination held this very backup before. */
  outcome: z.enum(["transferred", "already-there"]),
  fromEnvironment: z.string(),
  toEnvironment: z.string(),
  location,
  collectionCount: count,
  segments: count,
  /** Logs at the destination, with those that lay there before. */
  objects: count,
  bytes: count,
  skippedObjects: count,
  /** Every object of the copy is locked so, at the least; absent where it is not. */
  lock: lock.optional(),
});

/** A collection that a drill restored, looked at and dropped. */
const drilledCollection = z.strictObject({
  /** `db.coll` in the backup. */
  from: z.string(),
  /** `db.coll` that the drill made, and dropped. */
  to: z.string(),
  id,
  /** As the restore counted them. */
  rows: count,
  /** As a query counted them; absent where it cannot be loaded. */
  countedRows: count.optional(),
  /** Rows of the backup that were looked for by their keys, and compared in `fields`. */
  comparedRows: count,
  fields: z.array(z.string()),
  searches: z.array(
    z.strictObject({
      field: z.string(),
      indexType: z.string(),
      metricType: z.string(),
      /** Vectors of the backup that were searched for, and how many of them found themselves first. */
      queryCount: count,
      foundCount: count,
      /** Of a search among the sample, against brute force: 0 to 1. */
      recall: z.number(),
    }),
  ),
});

/** `drill`; with `--clean` outcome `cleaned`, and no backup. */
export const drill = documentOf("drill", {
  ...succeeded,
  backupName: z.string().optional(),
  outcome: z.enum(["drilled", "cleaned"]),
  /** It was restored into. */
  environment: z.string().optional(),
  /** Seconds until everything answered a search; absent with `--clean`. */
  rtoSeconds: z.number().nonnegative().optional(),
  /** Seconds between the backup's instant and the drill; absent where the backup has none. */
  rpoSeconds: z.number().nonnegative().optional(),
  collections: z.array(drilledCollection),
  /** With `--clean`: drills of which nothing is left now. */
  cleanedCount: count.optional(),
});

/** `verify`; with exit code 1 where the outcome is `failed`. */
export const verify = documentOf("verify", {
  state: executionState.extract(["succeeded", "failed"]),
  /** `sealed`: it got a manifest. `failed`: something is wrong with it. */
  outcome: z.enum(["passed", "sealed", "failed"]),
  backupName: z.string(),
  environment: z.string(),
  location,
  depth: verifiedDepth,
  /** Of the bytes that were read and compared, of 100. */
  percent: z.number().min(0).max(100),
  /** What was read of the rows, and counted; absent where none were. */
  rows: rowsLooked
    .extend({
      segments: count,
      /** As many as an execution's answer has room for. */
      collections: z.array(
        z.strictObject({
          /** `db.coll` */
          collection: z.string(),
          /** Deprecated: `collection` is the same. */
          name: z.string(),
          rows: count,
          living: count,
          /** Living rows with a key that another one has; absent where keys were not compared. */
          repeated: count.optional(),
        }),
      ),
    })
    .optional(),
  /** Logs of the backup. */
  objects: count,
  bytes: count,
  /** Of these the ones that were read. */
  readObjects: count,
  readBytes: count,
  /** Objects of which only key and size could be compared. */
  bySize: count,
  /** Everything that is wrong, object by object. */
  problems: z.array(
    z.strictObject({
      key: z.string(),
      problem: z.enum(["missing", "extra", "truncated", "altered", "inconsistent"]),
      /** For people; "" where the problem says it. */
      detail: z.string(),
    }),
  ),
  warnings,
  executionArn,
  milliseconds,
});

/** `export` */
export const exported = documentOf("export", {
  ...succeeded,
  outcome: z.literal("exported"),
  environment: z.string(),
  /** The environment whose store got the files, where that is another one. */
  toEnvironment: z.string().optional(),
  /** `s3://bucket/prefix/` */
  destination: z.string(),
  format: z.enum(exportFormats),
  collectionCount: count,
  /** Living rows, each in one file. */
  rows: count,
  /** Rows of the backup that are in none: deleted, or later than the instant. */
  leftOut: count,
  /** Without the manifest, and their bytes. */
  files: count,
  bytes: count,
});

/** What an execution is about, in the words of people who wait. */
const phase = z.enum([
  "starting",
  "preparing",
  "copying",
  "staging",
  "reading metas and manifest",
  "verifying",
  "reading rows",
  "exporting",
  "writing the manifest",
  "looking for what is left",
  "writing the metas",
  "recreating collections",
  "importing",
  "finishing",
  "loading",
  "restoring",
  "searching",
  "dropping what was made",
  "cleaning up after a failure",
]);

/** How far an execution is. */
export const progress = z.strictObject({
  phase,
  /** Of the phase: of the bytes where they are known, else of the segments; of the rows that Milvus imports. Absent where nobody knows. */
  percent: z.number().min(0).max(100).optional(),
  /** What lies at the destination so far; of an export, what was read. */
  copied,
  /** What was planned; absent before. */
  planned: z
    .strictObject({
      collectionCount: count,
      segments: count,
      /** Absent for a backup, as no list was read yet. */
      bytes: count.optional(),
      rows: count.optional(),
    })
    .optional(),
  /** Imports into Milvus. */
  imports: z.strictObject({ completed: count, planned: count }).optional(),
  /** Since when Milvus does not answer, or is busy. */
  awaySince: time.optional(),
});

/** `status`, `stop`, `--detach`, and what Ctrl-C leaves running. */
export const execution = documentOf("execution", {
  state: executionState,
  executionArn,
  executionName: z.string(),
  machine,
  /** Absent in an execution whose input names none. */
  backupName: z.string().optional(),
  environment: z.string().optional(),
  /** Of a copy, in place of `environment`. */
  fromEnvironment: z.string().optional(),
  toEnvironment: z.string().optional(),
  /** The state of the machine that was entered last: `Copy Segments`. */
  step: z.string().optional(),
  startedAt: time.optional(),
  stoppedAt: time.optional(),
  milliseconds: milliseconds.optional(),
  /** What the machine was started with (state-machines/README.md). */
  input: z.record(z.string(), z.unknown()).optional(),
  progress: progress.optional(),
  /** Once it succeeded, or a verification found problems: what the verb prints that starts such an execution. */
  result: z.union([create, restore, copy, drill, verify, exported]).optional(),
  /** Once it failed. */
  error: problem.optional(),
});

/** `executions` */
export const executions = documentOf("executions", {
  stack: z.string(),
  executions: z.array(
    z.strictObject({
      executionName: z.string(),
      executionArn,
      machine,
      state: executionState,
      startedAt: time,
      stoppedAt: time.optional(),
      milliseconds: milliseconds.optional(),
    }),
  ),
});
