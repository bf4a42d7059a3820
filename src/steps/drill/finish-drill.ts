import * as z from "zod";
import { PipelineError } from "../../core/execution/errors.ts";
import { readFailure, releasedFailure } from "../../core/execution/failure.ts";
import { fitting, fittingWarnings } from "../../core/execution/fitting.ts";
import {
  type CaughtFailure,
  type CleanDrillResult,
  type DrillStepRequest,
  type ReleaseResult,
  searchDrillResult,
} from "../../core/execution/messages.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { type DrillRecord, drillRecord, drillRecordKey } from "../../core/plan/drill.ts";
import { unmarkReader } from "../shared/readers.ts";
import { recordFailure } from "../shared/record-failure.ts";
import { readWorkJson, readWorkJsonIfThere } from "../shared/work-files.ts";
import type { DrillContext } from "./drill-context.ts";
import { writeDrillProof } from "./drill-proof.ts";
import { dropMade, tryToDrop } from "./drop-made.ts";

/**
 * Last step of a good drill: drops what it made, then says beside the backup that it can be restored.
 * @throws TargetExists where something has one of its names that it did not make, and what Milvus and the stores throw
 */
export async function cleanDrill(request: DrillStepRequest, context: DrillContext): Promise<CleanDrillResult> {
  const layout = workLayout("drill", request.execution.name);
  const record = await readWorkJson(context, layout.plan, drillRecord);
  const { outcome: _, waitSeconds: __, ...result } = await readWorkJson(context, layout.result, searchDrillResult);
  const at = context.clock.now().toISOString();
  const { rtoSeconds, rpoSeconds } = result;
  const times = { ...(rtoSeconds !== undefined && { rtoSeconds }), ...(rpoSeconds !== undefined && { rpoSeconds }) };
  // Before anything is dropped: what was found out of the backup holds, whatever the dropping comes to.
  const compared = result.collections.reduce((sum, one) => sum + one.compared, 0);
  const notWritten = await writeDrillProof(record, { at, outcome: "passed", ...times, compared }, context);
  const left = await dropMade(record, context);
  if (left.length > 0) throw new PipelineError("TargetExists", left.join("; "));
  await unmarkReader(context, record.readerKey);
  const collections = fitting(result.collections);
  const warnings = fittingWarnings(result.warnings, `${layout.result} in the work bucket`);
  const others = result.collections.length - collections.length;
  const omitted =
    others > 0 ? [`${others} more collections are left out here: ${layout.result} in the work bucket has all`] : [];
  return { ...result, outcome: "drilled", collections, warnings: [...warnings, ...notWritten, ...omitted] };
}

/** What its failed restore said of itself: Step Functions tells it otherwise than its emulators. */
const restoreFailure = z.object({ error: z.string(), cause: z.string() });

/**
 * What every failed drill ends in: it is said beside the backup that the drill failed, and why, the restore is ended where it still runs, and
 * what was made is dropped.
 */
export async function releaseDrill(
  request: DrillStepRequest & { failure: CaughtFailure },
  context: DrillContext,
): Promise<ReleaseResult> {
  const layout = workLayout("drill", request.execution.name);
  const record =
    (await readWorkJsonIfThere(context, layout.plan, drillRecord)) ??
    (await readWorkJsonIfThere(context, drillRecordKey(request.execution.name), drillRecord));
  const failure = record ? await reasonOf(record, request.failure, context) : request.failure;
  await recordFailure(context, layout, failure);
  if (record === undefined) return releasedFailure(failure, "");
  const { error, message } = readFailure(failure);
  const searched = await readWorkJsonIfThere(context, layout.result, searchDrillResult);
  const at = context.clock.now().toISOString();
  // One that was good, and left something, has said so already. Before anything is dropped, which a Milvus that is busy keeps from being done.
  if (searched === undefined) {
    const proof = { at, outcome: "failed", reason: `${error}: ${message}` } as const;
    for (const reason of await writeDrillProof(record, proof, context)) context.log.warn(reason);
  }
  const left = await tryToDrop(record, context);
  await unmarkReader(context, record.readerKey);
  return releasedFailure(failure, left.join("; "));
}

/** The reason of the restore, where that is what failed. */
async function reasonOf(record: DrillRecord, caught: CaughtFailure, context: DrillContext): Promise<CaughtFailure> {
  const layout = workLayout("restore", record.restoreExecution);
  const failed = await readWorkJsonIfThere(context, layout.failure, restoreFailure);
  if (failed === undefined) return caught;
  const { error, message } = readFailure({ Error: failed.error, Cause: failed.cause });
  return { Error: error, Cause: JSON.stringify({ errorType: error, errorMessage: `${error}: ${message}` }) };
}
