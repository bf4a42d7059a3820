import { releasedFailure } from "../core/failure.ts";
import type { CaughtFailure, ReleaseResult, RestoreStepRequest } from "../core/messages.ts";
import { qualifiedName } from "../core/names.ts";
import type { RestorePlan } from "../core/restore-plan.ts";
import { restoreWorkLayout } from "../core/restore-work.ts";
import { workLayout } from "../core/work-layout.ts";
import type { StepContext } from "../ports/step-context.ts";
import { releaseLease } from "./lease.ts";
import { recordFailure } from "./record-failure.ts";
import { readWorkJsonIfThere } from "./work-files.ts";

/**
 * What every failed restore ends in: stops copies still running, gives the target names free and records why. Staged files and
 * working collections stay, so that the same restore goes on from there; the message says what they are and how to remove them.
 */
export async function releaseRestore(
  request: RestoreStepRequest & { failure: CaughtFailure },
  context: StepContext,
): Promise<ReleaseResult> {
  const { execution, failure } = request;
  const layout = workLayout("restore", execution.name);
  await recordFailure(context, layout, failure);
  const plan = await readWorkJsonIfThere<RestorePlan>(context, layout.plan);
  if (!plan) return releasedFailure(failure, "");

  const made = await context.work.head(restoreWorkLayout(plan.restoreId).collections);
  if (!made) {
    // Milvus was not touched: staged files are all there is, and they are worth nothing by themselves.
    const store = await context.openStore({ environment: request.input.environment, side: "milvus" });
    await store.deletePrefix(plan.stagingPrefix);
  }
  await releaseLease(context, "restore", plan.leaseSubject, execution.id);
  return releasedFailure(failure, made ? whatIsLeft(plan) : "");
}

function whatIsLeft(plan: RestorePlan): string {
  const complete = "start the same restore again to go on, or with discard (restore --discard) to remove it";
  const working = plan.collections.filter(({ working, target }) => qualifiedName(working) !== qualifiedName(target));
  const direct = plan.collections.filter(({ working, target }) => qualifiedName(working) === qualifiedName(target));
  return [
    working.length > 0 &&
      `the unfinished ${working.map((collection) => `${qualifiedName(collection.working)} (for ${qualifiedName(collection.target)})`).join(", ")} and staged files: ${complete}`,
    direct.length > 0 &&
      `${direct.map(({ target }) => qualifiedName(target)).join(", ")} may hold a part of the backup's rows: start the same restore again to add the rest`,
  ]
    .filter(Boolean)
    .join("; ");
}
