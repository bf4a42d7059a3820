import { releasedFailure } from "../core/failure.ts";
import type { CaughtFailure, ReleaseResult, TransferStepRequest } from "../core/messages.ts";
import type { TransferPlan } from "../core/transfer-plan.ts";
import { workLayout } from "../core/work-layout.ts";
import type { StepContext } from "../ports/step-context.ts";
import { releaseBackupLease } from "./backup-lease.ts";
import { recordFailure } from "./record-failure.ts";
import { readWorkJsonIfThere } from "./work-files.ts";

/**
 * What every failed transfer ends in: stops copies still running, gives the name at the destination free and records why. What was
 * copied stays, without `full_meta.json`: it is no backup, and the same command goes on from there.
 */
export async function releaseTransfer(
  request: TransferStepRequest & { failure: CaughtFailure },
  context: StepContext,
): Promise<ReleaseResult> {
  const { execution, input, failure } = request;
  const layout = workLayout("transfer", execution.name);
  await recordFailure(context, layout, failure);
  const plan = await readWorkJsonIfThere<TransferPlan>(context, layout.plan);
  // Without a plan it failed before anything was copied or held.
  if (!plan) return releasedFailure(failure, "");

  const environment = await context.environments.get(input.to);
  const store = await context.openStore({ environment: input.to, side: "backup" });
  await releaseBackupLease(context, store, environment, plan.backupName, execution.id);
  return releasedFailure(
    failure,
    plan.alreadyThere || plan.totals.segments === 0
      ? ""
      : `segments already copied to ${store.label} stay, without full_meta.json: they are no backup; the same command goes on from there, "milvus-backup --environment ${input.to} delete -n ${plan.backupName} --incomplete" removes them`,
  );
}
