import * as z from "zod";
import {
  backupInput,
  drilledCollection,
  drillInput,
  exportInput,
  machineResults,
  restoredCollection,
  restoreInput,
  transferInput,
  verifyInput,
} from "../execution/messages.ts";
import { keepRules } from "./retention.ts";

/**
 * Every event of the pipeline, by detail type; docs/events.md describes them for people. What has failed carries the input as it
 * came, which may be what was wrong with it.
 */

/** The source of every event. */
export const eventSource = "milvus-backup";

const common = z.strictObject({
  /** Name of the deployment. */
  stack: z.string().min(1),
  /** ARN of the execution; of a backup's for what retention did after it. */
  execution: z.string().startsWith("arn:"),
  /** When it started, ISO 8601. */
  startTime: z.string().min(1),
});

const failure = z.strictObject({
  /** `CollectionNotFound`, `States.Timeout` ... */
  Error: z.string(),
  /** JSON text with `errorType` and `errorMessage`, or plain text. */
  Cause: z.string(),
  /** What stays behind, "" for nothing; absent where nobody could look. */
  Left: z.string().optional(),
});

const drillResult = machineResults.drilled.extend({ collections: z.array(drilledCollection.strict()).readonly() });
const restoreResult = machineResults.restored.extend({ collections: z.array(restoredCollection.strict()).readonly() });

/** What retention is asked to do: the rules of one schedule. */
export const retentionInput = z.strictObject({
  schedule: z.string().min(1),
  environment: z.string().min(1),
  keep: keepRules,
  timeZone: z.string().default("UTC"),
});
export type RetentionInput = z.infer<typeof retentionInput>;

/** What retention did. Names are cut off at `mostNames`; the counts are whole. */
const retentionResult = z.strictObject({
  kept: z.number().int().min(0),
  removed: z.number().int().min(0),
  /** How many objects were deleted. */
  objects: z.number().int().min(0),
  /** Shared segments that no incremental backup names any more were deleted too; absent where there are none. */
  swept: z
    .strictObject({
      segments: z.number().int().min(0),
      objects: z.number().int().min(0),
      bytes: z.number().int().min(0),
    })
    .optional(),
  /** How many backups stay although the rules do not keep them, because they are locked; absent where none is. */
  locked: z.number().int().min(1).optional(),
  keptNames: z.array(z.string()),
  removedNames: z.array(z.string()),
  /** Each with its time: `nightly_3 is locked until 2026-12-28 11:03 UTC (governance)`. */
  lockedNames: z.array(z.string()).optional(),
  /** Sentences: backups that are not whole, and those that stay for now because somebody writes or reads them. */
  warnings: z.array(z.string()),
});
export type RetentionResult = z.infer<typeof retentionResult>;

/** An event holds 256 KiB. */
export const mostNames = 200;

const completed = <Machine extends string, Result extends z.ZodType>(
  machine: Machine,
  input: z.ZodType,
  result: Result,
) => common.extend({ machine: z.literal(machine), input, result });
const failed = <Machine extends string>(machine: Machine) =>
  common.extend({ machine: z.literal(machine), input: z.unknown(), failure });

/** The schema of every event's detail, by detail type. */
export const eventDetails = {
  "Backup Completed": completed("backup", backupInput, machineResults.backedUp.strict()),
  "Backup Failed": failed("backup"),
  "Drill Completed": completed("drill", drillInput, drillResult.strict()),
  "Drill Failed": failed("drill"),
  "Export Completed": completed("export", exportInput, machineResults.exported.strict()),
  "Export Failed": failed("export"),
  "Restore Completed": completed("restore", restoreInput, restoreResult.strict()),
  "Restore Discarded": completed("restore", restoreInput, machineResults.discarded.strict()),
  "Restore Skipped": completed("restore", restoreInput, machineResults.skipped.strict()),
  "Restore Failed": failed("restore"),
  "Transfer Completed": completed("transfer", transferInput, machineResults.transferred.strict()),
  "Transfer Failed": failed("transfer"),
  "Verify Completed": completed("verify", verifyInput, machineResults.verified.strict()),
  "Verify Failed": failed("verify"),
  "Retention Applied": completed("retention", retentionInput, retentionResult),
  "Retention Failed": failed("retention"),
} as const;
export type DetailType = keyof typeof eventDetails;
export const detailTypes = Object.keys(eventDetails) as DetailType[];

/** What has to be said of an event; the publisher adds the name of the deployment. */
export type AnnouncedDetail<Type extends DetailType> = Omit<z.output<(typeof eventDetails)[Type]>, "stack">;
