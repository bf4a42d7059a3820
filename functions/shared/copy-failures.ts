import { type ErrorName, outageErrorNames, transientErrorNames } from "../../src/core/execution/errors.ts";
import { unansweredStep } from "../../src/core/execution/failure.ts";
import type { CaughtFailure, CopySegmentsRequest } from "../../src/core/execution/messages.ts";
import { copyFailureKey, receiptKeyOfFailure, type WorkLayout } from "../../src/core/execution/work-layout.ts";
import type { ObjectStore } from "../../src/ports/object-store.ts";
import { failureOf, type StepFailure } from "./report-error.ts";

/** What a distributed map fails with where items failed, whatever they failed with, and what a map within the execution does. */
const batchErrors: readonly string[] = ["States.ExceedToleratedFailureThreshold", "CopyFailed"];
const mapErrors: readonly string[] = [...batchErrors, "States.ItemReaderFailed"];

/** Failures looked at, two requests each: those of batches that were copied after all lie among them. */
const mostFailures = 500;

/** What a batch leaves that is tried again: why it waits, or of what it died before. Only where nothing else is there was it the end of it. */
const perhapsGoesOn: ReadonlySet<string> = new Set<ErrorName>([
  ...transientErrorNames,
  ...outageErrorNames,
  "StepKilled",
  "StepTimedOut",
]);

/**
 * Copies a batch (or reads its rows), and leaves the reason in the work bucket where it fails: a map run fails without one. Of a batch that `died` it is there
 * before the copy begins, as one that is killed again cannot tell any more.
 */
export async function tellingWhy<T>(
  request: CopySegmentsRequest,
  work: ObjectStore,
  copy: () => Promise<T>,
  step = "CopySegments",
): Promise<T> {
  const { batchKey, died } = request;
  if (died) await recordCopyFailure(work, batchKey, unansweredStep(step, died, "not seen to end"));
  try {
    return await copy();
  } catch (error) {
    await recordCopyFailure(work, batchKey, error);
    throw error;
  }
}

/** Leaves why a batch could not be copied in the work bucket. Never throws: the failure itself is what counts. */
export async function recordCopyFailure(work: ObjectStore, batchKey: string, error: unknown): Promise<void> {
  const { name, message } = failureOf(error);
  await work.putText(copyFailureKey(batchKey), causeOf({ name, message })).catch(() => undefined);
}

/**
 * What a map of copies failed with, in the shape of a Lambda's failure: the first batch that failed for good speaks for all; a batch that the map
 * ended while it was tried again has left something too, which counts where no other reason is found. Other failures, and map runs that failed
 * before any batch did, stay as they are.
 */
export async function explainMapFailure(
  work: ObjectStore,
  layout: WorkLayout,
  caught: CaughtFailure,
): Promise<CaughtFailure> {
  if (!mapErrors.includes(caught.Error)) return caught;
  let seen = 0;
  let perhaps: CaughtFailure | undefined;
  for await (const { key } of work.list(layout.copyFailures)) {
    seen += 1;
    if (seen > mostFailures) break;
    // Tried again and copied after all.
    if (await work.head(receiptKeyOfFailure(key))) continue;
    const cause = await work.getText(key);
    const { errorType } = JSON.parse(cause) as { errorType: string };
    const failure = { Error: errorType, Cause: cause };
    if (!perhapsGoesOn.has(errorType)) return failure;
    perhaps ??= failure;
  }
  if (perhaps) return perhaps;
  return batchErrors.includes(caught.Error) ? withoutReason(caught.Error) : caught;
}

/** Step Functions would only say that a threshold was exceeded, or that a batch failed. */
function withoutReason(error: string): CaughtFailure {
  const message =
    "a batch failed without saying why: its function could not be started, was ended from outside, or ran out of memory or time. " +
    "Its log (function copy-segments, of rows read-rows, of an export export-segments) and the execution in Step Functions tell more";
  return { Error: error, Cause: causeOf({ name: error, message }) };
}

/** As Lambda hands a failure to Step Functions. */
export function causeOf({ name, message }: Pick<StepFailure, "name" | "message">): string {
  return JSON.stringify({ errorType: name, errorMessage: message });
}
