import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { releasedFailure } from "../../core/execution/failure.ts";
import type { CaughtFailure, ReleaseResult, TransferStepRequest } from "../../core/execution/messages.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { transferPlan } from "../../core/plan/transfer.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { markClaimFailed } from "../shared/backup-claim.ts";
import { readHeld } from "../shared/held.ts";
import { environmentToRelease, movedFrom, sameBackupPlace } from "../shared/pinned-environments.ts";
import { unmarkReader } from "../shared/readers.ts";
import { recordFailure } from "../shared/record-failure.ts";
import { failSegmentsClaim } from "../shared/segment-claims.ts";
import { StoredBackup } from "../shared/stored-backup.ts";
import { readWorkJsonIfThere } from "../shared/work-files.ts";

/**
 * What every failed transfer ends in: stops copies still running, marks its claim on the destination as failed and records why. What was
 * copied stays, without `full_meta.json`: it is no backup, and the same command goes on from there.
 */
export async function releaseTransfer(
  request: TransferStepRequest & { failure: CaughtFailure },
  context: StepContext,
): Promise<ReleaseResult> {
  const { execution, input, failure } = request;
  const layout = workLayout("transfer", execution.name);
  await recordFailure(context, layout, failure);
  const held = await readHeld(context, layout);
  if (!held) return releasedFailure(failure, "");

  await unmarkReader(context, held.readerKey);
  const environment = await environmentToRelease(context, layout, input.to, sameBackupPlace);
  if (environment !== undefined) {
    const store = await context.openStore(pinnedStore(environment, "backup"), { earlier: true });
    const copy = new StoredBackup(store, environment.backupStorage, input.backupName, held.sharedSource);
    const { shared } = copy.layout;
    if (shared) await failSegmentsClaim(store, shared, execution.id, context);
    await markClaimFailed(copy, execution.id, context);
  }
  const plan = await readWorkJsonIfThere(context, layout.plan, transferPlan);
  if (!plan || plan.alreadyThere || plan.totals.segments === 0) return releasedFailure(failure, "");
  const moved = await movedFrom(context, layout, input.to, plan.backupName);
  const then =
    moved ??
    `the same command goes on from there, "milvus-backup --environment ${input.to} delete -n ${plan.backupName} --incomplete" removes them`;
  return releasedFailure(
    failure,
    `segments already copied to ${input.to} stay, without full_meta.json: they are no backup; ${then}`,
  );
}
