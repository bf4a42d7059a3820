import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { releasedFailure } from "../../core/execution/failure.ts";
import type { CaughtFailure, ReleaseResult, VerifyStepRequest } from "../../core/execution/messages.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { verifyPlan } from "../../core/plan/verify.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { markClaimFailed } from "../shared/backup-claim.ts";
import { readHeld } from "../shared/held.ts";
import { environmentToRelease, sameBackupPlace } from "../shared/pinned-environments.ts";
import { unmarkReader } from "../shared/readers.ts";
import { recordFailure } from "../shared/record-failure.ts";
import { StoredBackup } from "../shared/stored-backup.ts";
import { readWorkJsonIfThere } from "../shared/work-files.ts";

/**
 * What every verification ends in that failed or found problems: stops copies still running, gives the backup free, and records why. Nothing
 * of it stays beside the backup but the outcome, where there was one; parts of a manifest without an index are none, and are written anew.
 */
export async function releaseVerify(
  request: VerifyStepRequest & { failure: CaughtFailure },
  context: StepContext,
): Promise<ReleaseResult> {
  const { execution, input, failure } = request;
  const layout = workLayout("verify", execution.name);
  await recordFailure(context, layout, failure);
  const held = await readHeld(context, layout);
  if (!held) return releasedFailure(failure, "");
  await unmarkReader(context, held.readerKey);
  if (held.claimed) {
    const environment = await environmentToRelease(context, layout, input.environment, sameBackupPlace);
    const plan = await readWorkJsonIfThere(context, layout.plan, verifyPlan);
    const backupName = plan?.backupName ?? input.backupName;
    if (environment !== undefined && backupName !== undefined) {
      const store = await context.openStore(pinnedStore(environment, "backup"), { earlier: true });
      await markClaimFailed(new StoredBackup(store, environment.backupStorage, backupName), execution.id, context);
    }
  }
  return releasedFailure(failure, "");
}
