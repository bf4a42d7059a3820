import * as z from "zod";

/**
 * What travels between state machines, Lambdas and the work bucket. Execution inputs are the public contract: schedules,
 * consoles, triggers and the CLI all send these. Everything else is internal. States carry names, keys and counts only;
 * plans, batches and receipts are files in the work bucket (a state's payload is capped at 256 KiB).
 */

const collectionList = z.array(z.string().min(1));

/** Names schedules and restore triggers; it becomes a part of names of backups, executions and AWS resources. */
export const scheduleName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/, {
  error: "use a letter or digit, then up to 39 of [A-Za-z0-9_-]",
});

/** Input of the state machine `backup`. */
export const backupInput = z.strictObject({
  /** The registered environment to back up. */
  environment: z.string().min(1),
  /** Made from the start time where absent: `backup_2026_11_21_11_03_07`. */
  backupName: z.string().optional(),
  /** `coll`, `db.coll` or `db.*`; absent or empty means all. */
  collections: collectionList.optional(),
  /** `flush` (default) seals what is in memory; `skip_flush` takes what is sealed; `meta_only` copies no data. */
  strategy: z.enum(["flush", "skip_flush", "meta_only"]).optional(),
  /** The schedule of pipeline.yaml that starts it: the backup is named after it and falls under its retention. */
  schedule: scheduleName.optional(),
  /** The time it was scheduled for, ISO 8601; anything else (a placeholder nobody filled in) is ignored. */
  scheduledTime: z.string().optional(),
});
export type BackupInput = z.infer<typeof backupInput>;

/** Input of the state machine `restore`. */
export const restoreInput = z.strictObject({
  /** The registered environment to restore into. */
  environment: z.string().min(1),
  backupName: z.string().min(1),
  /** Where the backup lies, when that is another environment's backup bucket. */
  from: z.string().min(1).optional(),
  /** As in the backup: `coll`, `db.coll` or `db.*`; absent or empty means all. */
  collections: collectionList.optional(),
  /** Appended to every collection's name. */
  suffix: z.string().optional(),
  /** `{"coll": "shop.coll2"}`: by name in the backup, to the name in the target; renamed collections get no suffix. */
  renames: z.record(z.string(), z.string()).optional(),
  /** Replace a target collection of that name, once the new one is complete. */
  dropExisting: z.boolean().optional(),
  /** Import into collections that exist already with the same schema. */
  skipCreate: z.boolean().optional(),
  /** Collections, partitions, indexes and aliases without any rows. */
  metadataOnly: z.boolean().optional(),
  /** false: recreate no index (and load nothing). */
  indexes: z.boolean().optional(),
  /** false: load nothing; otherwise what was loaded is loaded again (not under skipCreate: that collection stays as it is). */
  load: z.boolean().optional(),
  /** true: remove what a failed restore of the same names left behind, restore nothing. */
  discard: z.boolean().optional(),
});
export type RestoreInput = z.infer<typeof restoreInput>;

/** Input of the state machine `transfer`. */
export const transferInput = z.strictObject({
  backupName: z.string().min(1),
  from: z.string().min(1),
  to: z.string().min(1),
});
export type TransferInput = z.infer<typeof transferInput>;

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

/** What every step but Copy Segments gets: the execution, its input, and the counter of the loop it stands in. */
function stepRequest<T extends z.ZodType>(input: T) {
  return z.object({
    execution: executionRef,
    input,
    /** How many times the step has run before in this execution, as the machine counts it. */
    attempt: z.number().int().min(0).default(0),
  });
}
export const backupStepRequest = stepRequest(backupInput);
export type BackupStepRequest = z.infer<typeof backupStepRequest>;
export const restoreStepRequest = stepRequest(restoreInput);
export type RestoreStepRequest = z.infer<typeof restoreStepRequest>;
export const transferStepRequest = stepRequest(transferInput);
export type TransferStepRequest = z.infer<typeof transferStepRequest>;

/** What Copy Segments gets: one item of the distributed map. */
export const copySegmentsRequest = z.object({
  execution: executionRef.shape.name,
  /** Key of the batch file in the work bucket. */
  batchKey: z.string().min(1),
});
export type CopySegmentsRequest = z.infer<typeof copySegmentsRequest>;

/** One item of the item file. */
export interface CopyItem {
  readonly batchKey: string;
}

/** What the preparing steps answer. `itemsKey` names the JSON array of CopyItem in the work bucket. */
export interface PreparedCopies {
  readonly itemsKey: string;
  readonly batches: number;
  readonly segments: number;
}

export interface PrepareBackupResult extends PreparedCopies {
  readonly outcome: "planned";
  readonly backupName: string;
  readonly collections: number;
  readonly attempt: number;
}

export interface CopySegmentsResult {
  readonly outcome: "copied" | "source-changed" | "cancelled";
  readonly receiptKey: string;
}

export interface FinalizeBackupResult {
  /** `source-changed`: segments vanished while they were copied; prepare again and go on. */
  readonly outcome: "backed-up" | "source-changed";
  readonly backupName: string;
  readonly collections: number;
  readonly segments: number;
  readonly objects: number;
  /** Bytes in the backup, as a decimal string would not fit a state's number filters: below 2^53 always. */
  readonly bytes: number;
  readonly warnings: readonly string[];
}

export interface PrepareRestoreResult extends PreparedCopies {
  /** `discarded`: the input asked to discard, and that is done. */
  readonly outcome: "planned" | "discarded";
  readonly backupName: string;
  readonly collections: number;
}

export interface RecreateCollectionsResult {
  readonly outcome: "recreated";
  readonly collections: number;
}

export interface ImportSegmentsResult {
  readonly outcome: "imported" | "imports-pending";
  readonly imports: number;
  readonly completed: number;
  /** 0 to 100, over all imports. */
  readonly progress: number;
  /** How long the machine is to wait before it asks again. */
  readonly waitSeconds: number;
}

export interface FinishRestoreResult {
  /** `loading`: everything is in place, collections are still loading; ask again. */
  readonly outcome: "restored" | "loading";
  readonly backupName: string;
  /** Empty while `loading`; as many as fit (restore-result.ts), a warning says where the others are listed. */
  readonly collections: readonly RestoredCollection[];
  readonly waitSeconds: number;
  readonly warnings: readonly string[];
}

export interface RestoredCollection {
  readonly from: string;
  readonly to: string;
  /** ID of the new collection: its data lies under `<rootPath>/insert_log/<id>`. */
  readonly id: string;
  readonly rows: string;
  readonly loaded: boolean;
}

export interface PrepareTransferResult extends PreparedCopies {
  /** `already-there`: the destination holds this very backup; its objects are verified, and what is missing is copied. */
  readonly outcome: "planned" | "already-there";
  readonly backupName: string;
  readonly collections: number;
}

export interface FinalizeTransferResult {
  /** `already-there`: the destination held this very backup before. */
  readonly outcome: "transferred" | "already-there";
  readonly backupName: string;
  readonly collections: number;
  readonly segments: number;
  /** Logs at the destination, with those that lay there before. */
  readonly objects: number;
  readonly bytes: number;
  /** How many of the objects lay there before. */
  readonly skippedObjects: number;
  readonly warnings: readonly string[];
}

/** What the failure states hand to Release: what failed, as Step Functions caught it. */
export const caughtFailure = z.object({ Error: z.string(), Cause: z.string().default("") });
export type CaughtFailure = z.infer<typeof caughtFailure>;

/** What Release answers: the failure again for the Fail state, and what the execution leaves behind ("" for nothing). */
export interface ReleaseResult {
  readonly error: string;
  readonly cause: string;
  readonly left: string;
}
