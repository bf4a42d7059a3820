import * as z from "zod";
import { machines } from "../../src/core/execution/machines.ts";
import { lockModes } from "../../src/core/execution/object-lock.ts";

/**
 * The words of the documents that `--json` prints: one name for one thing, whichever verb prints it, and one thing under one name.
 *
 * Names stand under the noun they name (`backupName`, `environment`, `collection`, `executionArn`); `bytes`, `rows`, `segments` and
 * `objects` are counts; lists stand under the other plural nouns (`collections`, `backups`, `warnings`), and a count of those is a
 * `...Count`. Times are ISO 8601, 64-bit IDs decimal strings.
 */

/** Below 2^53: a JavaScript number that loses no digit. */
export const count = z.number().int().nonnegative();

/** A 64-bit ID, decimal. */
export const id = z.string().regex(/^-?\d+$/);

export const time = z.iso.datetime({ offset: true });

/** From start to end. */
export const milliseconds = z.number().nonnegative();

export const executionArn = z.string().regex(/^arn:/);

/** Sentences about what should be looked at. */
export const warnings = z.array(z.string());

/**
 * - `complete`: it has its commit record, `full_meta.json`
 * - `writing`: an execution writes it
 * - `deleting`: it is being deleted
 * - `failed`: whoever wrote or deleted it is over; the same command goes on from what is there
 * - `incomplete`: it has no commit record, and nobody says whose it is
 * - `corrupt`: its metas cannot be read
 */
export const backupState = z.enum(["complete", "writing", "deleting", "failed", "incomplete", "corrupt"]);

/** As Step Functions tells them. */
export const executionState = z.enum(["running", "succeeded", "failed", "timed-out", "aborted"]);

export const machine = z.enum(machines);

/** The instant that a collection of a backup is of (T). */
export const instant = z.strictObject({
  /** A hybrid timestamp of Milvus, decimal. */
  timestamp: z.string(),
  time,
});

/** How a drill of a backup ended. */
const drill = z.strictObject({
  at: time,
  outcome: z.enum(["passed", "failed"]),
  /** It was restored into. */
  environment: z.string(),
  /** Seconds until everything answered a search; absent where it never did. */
  rtoSeconds: z.number().nonnegative().optional(),
  /** Seconds between the backup's instant and the drill. */
  rpoSeconds: z.number().nonnegative().optional(),
  /** Rows of the backup that Milvus was asked for and that were compared; absent of one that failed, or was made by an earlier version. */
  compared: count.optional(),
  /** Why it failed. */
  reason: z.string().optional(),
  executionArn,
});

/** The last drill of a backup, and the last good one. */
export const drilled = z.strictObject({ last: drill, lastPassed: drill.optional() });

/** What lies at a destination, or is to lie there. */
export const copied = z.strictObject({ segments: count, objects: count, bytes: count });

/** What went wrong: `name` is one of the pipeline's or the command's error names, `message` says what to do. */
export const problem = z.strictObject({ name: z.string(), message: z.string() });

/**
 * How far the contents of a backup were compared: `size` by keys, sizes and the store's own checksums, without reading any; `rows` is every content
 * and every row.
 */
export const verifiedDepth = z.enum(["size", "sample", "content", "rows"]);

/** What was read of the rows of a backup, and counted. */
export const rowsLooked = z.strictObject({
  /** Of all rows of the backup, of 100. */
  percent: z.number().min(0).max(100),
  /** That were read, deleted ones included. */
  rows: count,
  /** Of these the ones that live at their collection's instant. */
  living: count,
});

const verification = z.strictObject({
  at: time,
  outcome: z.enum(["passed", "failed"]),
  depth: verifiedDepth,
  /** Of the bytes that were read and compared, of 100. */
  percent: z.number().min(0).max(100),
  /** Absent where no rows were read. */
  rows: rowsLooked.optional(),
  objects: count,
  bytes: count,
  problemCount: count,
  executionArn,
});

/** What the last verification of a backup said, and the last good one. */
export const verified = z.strictObject({ last: verification, lastPassed: verification.optional() });

/** A lock: until then nobody deletes what has it. */
export const lock = z.strictObject({ mode: z.enum(lockModes), until: time });

/** Users, roles, grants and privilege groups of a backup. */
export const rbac = z.strictObject({ users: count, roles: count, grants: count, privilegeGroups: count });

const rbacOutcomes = z.strictObject({
  /** Added by this restore. */
  restored: count,
  /** There already, and left as they were. */
  present: count,
  /** In the backup alone; a warning says why. */
  leftOut: count,
});

/** What became of them in a restore. */
export const restoredRbac = z.strictObject({
  users: rbacOutcomes,
  roles: rbacOutcomes,
  grants: rbacOutcomes,
  privilegeGroups: rbacOutcomes,
});

/** A document of a kind: `version` is raised when a field goes or changes its meaning, not when one is added. */
export function documentOf<Kind extends string, Shape extends z.ZodRawShape>(kind: Kind, shape: Shape) {
  return z.strictObject({ kind: z.literal(kind), version: z.literal(1), ...shape });
}
