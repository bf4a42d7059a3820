import * as z from "zod";
import { backupInput, drillInput, exportInput, restoreInput, transferInput, verifyInput } from "./inputs.ts";

/** What state machines hand to Lambdas. */

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
