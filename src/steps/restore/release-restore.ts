import type { Environment } from "../../core/environment/environment.ts";
import { sameBucket } from "../../core/environment/storage-identity.ts";
import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { releasedFailure } from "../../core/execution/failure.ts";
import {
  type CaughtFailure,
  progressRecord,
  type ReleaseResult,
  type RestoreStepRequest,
} from "../../core/execution/messages.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { hasWorkingName, type RestorePlan, restorePlan } from "../../core/plan/restore.ts";
import { restoreWorkLayout } from "../../core/plan/restore-work.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { readHeld } from "../shared/held.ts";
import { releaseLease } from "../shared/lease.ts";
import { environmentToRelease } from "../shared/pinned-environments.ts";
import { unmarkReader } from "../shared/readers.ts";
import { recordFailure } from "../shared/record-failure.ts";
import { readWorkJsonIfThere } from "../shared/work-files.ts";

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
  const held = await readHeld(context, layout);
  if (!held) return releasedFailure(failure, "");
  const plan = await readWorkJsonIfThere(context, layout.plan, restorePlan);
  const left = plan ? await giveUp(plan, request, context) : "";
  await unmarkReader(context, held.readerKey);
  if (held.leaseSubject !== undefined) await releaseLease(context, "restore", held.leaseSubject, execution.id);
  return releasedFailure(failure, left);
}

/** Removes what is worth nothing by itself; answers what stays, for the message. */
async function giveUp(plan: RestorePlan, request: RestoreStepRequest, context: StepContext): Promise<string> {
  const layout = workLayout("restore", request.execution.name);
  const made = await context.work.head(restoreWorkLayout(plan.restoreId).collections);
  if (!made) {
    // Milvus was not touched: staged files are all there is, and they are worth nothing by themselves.
    return removeStaged(plan.stagingPrefix, request, context);
  }
  const progress = await readWorkJsonIfThere(context, layout.progress, progressRecord);
  return progress?.phase === "loading" ? whatIsInPlace(plan) : whatIsLeft(plan);
}

/** Removes staged files from where they were staged, whatever is registered by now; answers what stays where that cannot be. */
async function removeStaged(
  prefix: string,
  { execution, input }: RestoreStepRequest,
  context: StepContext,
): Promise<string> {
  const layout = workLayout("restore", execution.name);
  const samePlace = (a: Environment, b: Environment) => sameBucket(a.storage, b.storage);
  try {
    const environment = await environmentToRelease(context, layout, input.environment, samePlace);
    if (environment === undefined)
      return `staged files below ${prefix} in the bucket that ${input.environment} had then`;
    const store = await context.openStore(pinnedStore(environment, "milvus"), { earlier: true });
    await store.deletePrefix(prefix);
    return "";
  } catch (error) {
    // A transient fault is worth another run; with keys that were taken back, no run would ever give the target names free.
    if (!(error instanceof PipelineError) || error.kind === "transient") throw error;
    return `staged files below ${prefix} in Milvus's bucket, which could not be removed (${error.message})`;
  }
}

function whatIsInPlace(plan: RestorePlan): string {
  const names = shortList(plan.collections.map(({ target }) => qualifiedName(target)));
  return `${names} in place with all rows, but maybe without aliases or not loaded, and staged files: start the same restore again to finish it`;
}

function whatIsLeft(plan: RestorePlan): string {
  const complete = "start the same restore again to go on, or with discard (restore --discard) to remove it";
  const working = plan.collections.filter(hasWorkingName);
  const direct = plan.collections.filter((collection) => !hasWorkingName(collection));
  return [
    working.length > 0 &&
      `the unfinished ${shortList(working.map((collection) => `${qualifiedName(collection.working)} (for ${qualifiedName(collection.target)})`))} and staged files: ${complete}`,
    direct.length > 0 &&
      `${shortList(direct.map(({ target }) => qualifiedName(target)))} may hold a part of the backup's rows: start the same restore again to add the rest`,
  ]
    .filter(Boolean)
    .join("; ");
}
