import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { releasedFailure } from "../../core/execution/failure.ts";
import type { CaughtFailure, ReleaseResult, VerifyStepRequest } from "../../core/execution/messages.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { verifyPlan } from "../../core/plan/verify.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { markClaimFailed } from "../shared/backup-claim.ts";
import { hasClaim } from "../shared/claim.ts";
import { readHeld } from "../shared/held.ts";
import { environmentToRelease, sameBackupPlace } from "../shared/pinned-environments.ts";
import { unmarkReader } from "../shared/readers.ts";
import { recordFailure } from "../shared/record-failure.ts";
import { StoredBackup } from "../shared/stored-backup.ts";
import { readWorkJsonIfThere } from "../shared/work-files.ts";

/**
 * What every verification ends in that failed or found problems: stops batches still running, gives the backup free, and records why. Nothing
 * of it stays beside the backup but the outcome, where there was one.
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
      await giveUpSeal(new StoredBackup(store, environment.backupStorage, backupName), execution.id, context);
    }
  }
  return releasedFailure(failure, "");
}

/** Removes parts of a manifest that has no index, which are those of this seal while it holds the backup. */
async function giveUpSeal(stored: StoredBackup, holder: string, context: StepContext): Promise<void> {
  const { store, layout } = stored;
  const isOurs = await hasClaim(store, { key: layout.claim, holder });
  if (isOurs && (await store.head(layout.manifest)) === undefined) await store.deletePrefix(layout.manifestParts);
  await markClaimFailed(stored, holder, context);
}
