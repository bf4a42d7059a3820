import * as z from "zod";
import { claimRecord } from "../../src/core/format/claim.ts";
import { progress } from "./executions.ts";
import {
  backupState,
  count,
  documentOf,
  drilled,
  executionArn,
  id,
  instant,
  lock,
  rbac,
  time,
  verified,
  warnings,
} from "./vocabulary.ts";

/** What `list` tells of one backup. */
const listedBackup = z.strictObject({
  backupName: z.string(),
  state: backupState,
  /** When the last of its collections was flushed; absent where the metas do not tell. */
  createdAt: time.optional(),
  /** Absent, as the next two, where it is not complete. */
  collections: z
    .array(
      z.strictObject({
        /** `db.coll` */
        collection: z.string(),
        /** Absent where nobody knows (milvus-backup, skip_flush). */
        instant: instant.optional(),
      }),
    )
    .optional(),
  /** Of all logs, with those that other backups share. */
  bytes: count.optional(),
  /** As the server said it; "" where the metas do not tell. */
  milvusVersion: z.string().optional(),
  /** true: its segments lie where other backups share them. */
  incremental: z.boolean(),
  /** Of an incremental one: what deleting it would free; absent where that is too much to count. */
  ownBytes: count.optional(),
  /** Absent where it was never verified. */
  verified: verified.optional(),
  /** How it was drilled; absent where it never was. */
  drilled: drilled.optional(),
  /** Absent where it is not locked. */
  lock: lock.optional(),
  /** For people: why it is corrupt, or why nobody can tell its instants, as its manifest cannot be read. */
  problem: z.string().optional(),
});

/** `list` */
export const backups = documentOf("backups", {
  environment: z.string(),
  /** `bucket/root path` */
  location: z.string(),
  backups: z.array(listedBackup),
});

const partition = z.strictObject({ partition: z.string(), id, rows: count, segments: count, bytes: count });

const collection = z.strictObject({
  /** `db.coll` */
  collection: z.string(),
  id,
  /** The collection as it was then; absent where nobody knows. */
  instant: instant.optional(),
  /** In its segments: deletes are not subtracted. */
  rows: count,
  segments: count,
  bytes: count,
  loadState: z.string(),
  aliases: z.array(z.string()),
  indexes: z.array(z.strictObject({ index: z.string(), field: z.string(), type: z.string() })),
  partitions: z.array(partition),
});

/** Who works on a backup's folder. */
const claim = z.strictObject({
  purpose: claimRecord.shape.purpose,
  /** ARN of the execution; of a deletion by hand a text of its own. */
  holder: z.string(),
  executionArn: executionArn.optional(),
  startedAt: time,
  /** When it last said that it goes on. */
  heartbeatAt: time,
});

/** A backup whose metas are there. */
const toldBackup = documentOf("backup", {
  state: backupState.extract(["complete", "incomplete"]),
  backupName: z.string(),
  /** A UUID, or what another tool put there. */
  id: z.string(),
  /** `bucket/root path/name/` */
  location: z.string(),
  milvusVersion: z.string(),
  createdAt: time.optional(),
  bytes: count,
  /** Absent for a plain one. */
  incremental: z
    .strictObject({
      /** What was not stored before it was made. */
      newObjects: count,
      newBytes: count,
      /** What deleting it would free; absent where that is too much to count. */
      ownBytes: count.optional(),
    })
    .optional(),
  /** Absent where it was never verified. */
  verified: verified.optional(),
  /** How it was drilled; absent where it never was. */
  drilled: drilled.optional(),
  /** Absent where it is not locked. */
  lock: lock.optional(),
  /** Absent where it was made without `--rbac`. */
  rbac: rbac.optional(),
  databases: z.array(z.string()),
  collections: z.array(collection),
});

/** A backup that is none yet, or none any more. */
const untoldBackup = documentOf("backup", {
  state: backupState.extract(["writing", "deleting", "failed", "incomplete"]),
  backupName: z.string(),
  location: z.string(),
  /** Absent where nobody says whose it is. */
  claim: claim.optional(),
  /** How far its execution is, where that can be asked. */
  progress: progress.optional(),
});

/** `get`; exit code 1 for one without metas. */
export const backup = z.union([toldBackup, untoldBackup]);

/** `--estimate`: what would be copied, by what Milvus and its bucket list now (`create`), or by the metas of a backup. */
export const estimate = documentOf("estimate", {
  of: z.enum(["create", "restore", "copy"]),
  /** The one that is backed up, restored into, or copied from. */
  environment: z.string(),
  /** Absent of `create`. */
  backupName: z.string().optional(),
  /** Who moves the bytes: the object store, or (some of them at least) the Lambdas; `in-place` where a restore copies nothing. */
  copies: z.enum(["in-place", "server-side", "streamed"]),
  collections: z.array(
    z.strictObject({
      /** `db.coll` */
      collection: z.string(),
      /** The name it would be restored under. */
      to: z.string().optional(),
      segments: count,
      objects: count,
      bytes: count,
      /** In sealed segments: deletes are not subtracted. */
      rows: count,
      /** Only a flush writes them into objects: they are in no other number. Of `create`. */
      unflushedRows: count.optional(),
    }),
  ),
  /** Milvus gets so many; of `restore`. */
  imports: count.optional(),
  segments: count,
  objects: count,
  bytes: count,
  /** Of S3. */
  requests: count,
  /** Of copying; Milvus's flush comes on top. */
  minutes: z.number().nonnegative(),
  dollars: z.number().nonnegative(),
  /** For keeping it in S3 Standard; 0 for what is staged, which goes when the restore is over. */
  dollarsAMonth: z.number().nonnegative(),
  /** Whose list prices these are. */
  prices: z.strictObject({ region: z.string(), date: z.string() }),
  warnings,
});
