import * as z from "zod";
import type { Environment } from "../../core/environment/environment.ts";
import { sameBucket } from "../../core/environment/storage-identity.ts";
import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { messageOf, PipelineError } from "../../core/execution/errors.ts";
import { releasedFailure } from "../../core/execution/failure.ts";
import {
  type CaughtFailure,
  finishRestoreResult,
  progressRecord,
  type ReleaseResult,
  type RestoreStepRequest,
} from "../../core/execution/messages.ts";
import { settleEach } from "../../core/execution/settle.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import type { LastRestored } from "../../core/format/target-lease.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import {
  hasWorkingName,
  idsOf,
  type PlannedRestore,
  type RestorePlan,
  restoredInto,
  restorePlan,
} from "../../core/plan/planned-restore.ts";
import { type CollectionRecord, collectionRecord, recordOf, restoreWorkLayout } from "../../core/plan/restore-work.ts";
import type { MilvusContext, StepContext } from "../../ports/step-context.ts";
import { type Held, readHeld } from "../shared/held.ts";
import { environmentToRelease } from "../shared/pinned-environments.ts";
import { unmarkReader } from "../shared/readers.ts";
import { recordFailure } from "../shared/record-failure.ts";
import { giveBackTargets } from "../shared/target-leases.ts";
import { readWorkJsonIfThere } from "../shared/work-files.ts";
import { whatBecameOfIndexes } from "./existing-indexes.ts";
import { forgetStaging } from "./staged-places.ts";
import { lookAtNames, namesOf, tellNames } from "./standing.ts";

const lookConcurrency = 8;

/**
 * What every failed restore ends in: stops copies still running, gives the targets free and records why. Staged files and
 * working collections stay, so that the same restore goes on from there; the message says what they are and how to remove them.
 */
export async function releaseRestore(
  request: RestoreStepRequest & { failure: CaughtFailure },
  context: MilvusContext,
): Promise<ReleaseResult> {
  const { execution, failure } = request;
  const layout = workLayout("restore", execution.name);
  await recordFailure(context, layout, failure);
  const held = await readHeld(context, layout);
  if (!held) return releasedFailure(failure, "");
  const plan = await readWorkJsonIfThere(context, layout.plan, restorePlan);
  const { left, inPlace } = plan ? await giveUp(plan, request, context) : nothingLeft;
  await unmarkReader(context, held.readerKey);
  if (held.targets) await freeTargets(held.targets, plan ? restoredInto(plan, inPlace) : new Map(), request, context);
  return releasedFailure(failure, left);
}

/** What a failed restore leaves. */
interface Left {
  /** What stays, for the message. */
  readonly left: string;
  /** IDs of restored collections that have their target names, by name. */
  readonly inPlace: ReadonlyMap<string, string>;
}
const nothingLeft: Left = { left: "", inPlace: new Map() };

/** Removes what is worth nothing by itself; answers what stays. */
async function giveUp(plan: RestorePlan, request: RestoreStepRequest, context: MilvusContext): Promise<Left> {
  const layout = workLayout("restore", request.execution.name);
  const result = await readWorkJsonIfThere(context, layout.result, finishRestoreResult);
  if (result) return { left: whatIsComplete(plan), inPlace: idsOf(result.collections) };
  const { collections: recordKey } = restoreWorkLayout(plan.restoreId);
  const made = await readWorkJsonIfThere(context, recordKey, z.array(collectionRecord));
  if (!made) {
    // Milvus was not touched: staged files are all there is, and they are worth nothing by themselves.
    return { ...nothingLeft, left: await removeStaged(plan, request, context) };
  }
  const progress = await readWorkJsonIfThere(context, layout.progress, progressRecord);
  if (progress?.phase === "replacing") return whatStands(plan, made, request, context);
  if (progress?.phase !== "loading") {
    const left = [whatIsLeft(plan), await whatBecameOfIndexes(plan, context)];
    return { ...nothingLeft, left: left.filter(Boolean).join("; ") };
  }
  const ids = plan.collections.map((collection) => ({
    to: qualifiedName(collection.target),
    id: recordOf(made, collection)?.id ?? "",
  }));
  return { left: whatIsInPlace(plan), inPlace: idsOf(ids) };
}

/** Names were being given away: only Milvus knows how far that came. */
async function whatStands(
  plan: RestorePlan,
  made: readonly CollectionRecord[],
  { execution, input }: RestoreStepRequest,
  context: MilvusContext,
): Promise<Left> {
  const layout = workLayout("restore", execution.name);
  const idOf = (collection: PlannedRestore) => recordOf(made, collection)?.id;
  try {
    const sameMilvus = (a: Environment, b: Environment) => a.milvus.address === b.milvus.address;
    const environment = await environmentToRelease(context, layout, input.environment, sameMilvus);
    if (environment === undefined) return { ...nothingLeft, left: whatMayStand(plan) };
    const milvus = await context.connectMilvus(environment);
    const seen = await settleEach(plan.collections, lookConcurrency, async (collection) => ({
      collection,
      sight: await lookAtNames(milvus, collection),
    }));
    const told = seen.map(({ collection, sight }) => tellNames(collection, idOf(collection), sight));
    const named = seen.filter(({ collection, sight }) => sight.target?.id === idOf(collection));
    const ids = named.map(({ collection, sight }) => ({
      to: qualifiedName(collection.target),
      id: sight.target?.id ?? "",
    }));
    return { left: `${shortList(told, { separator: "; " })}; and staged files: ${goOn}`, inPlace: idsOf(ids) };
  } catch (error) {
    // It is for the message: an execution that is over holds nobody up.
    context.log.warn("what stands in Milvus could not be looked at", { reason: messageOf(error) });
    return { ...nothingLeft, left: whatMayStand(plan) };
  }
}

/** Gives the targets free where they were taken, whatever is registered by now. */
async function freeTargets(
  targets: NonNullable<Held["targets"]>,
  restored: ReadonlyMap<string, LastRestored>,
  { execution, input }: RestoreStepRequest,
  context: StepContext,
): Promise<void> {
  const layout = workLayout("restore", execution.name);
  const samePlace = (a: Environment, b: Environment) => sameBucket(a.storage, b.storage);
  try {
    const environment = await environmentToRelease(context, layout, input.environment, samePlace);
    if (environment === undefined) return;
    const store = await context.openStore(pinnedStore(environment, "milvus"), { earlier: true });
    await giveBackTargets(store, targets, execution.id, restored);
  } catch (error) {
    if (error instanceof PipelineError && error.kind === "transient") throw error;
    context.log.warn("the targets could not be given free; they are taken over from an execution that is over", {
      reason: messageOf(error),
    });
  }
}

/** Removes staged files from where they were staged, whatever is registered by now; answers what stays where that cannot be. */
async function removeStaged(
  { restoreId, stagingPrefix: prefix }: RestorePlan,
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
    await forgetStaging(context, restoreId, environment);
    return "";
  } catch (error) {
    // A transient fault is worth another run; with keys that were taken back, no run would ever give the target names free.
    if (!(error instanceof PipelineError) || error.kind === "transient") throw error;
    return `staged files below ${prefix} in Milvus's bucket, which could not be removed (${error.message})`;
  }
}

/** Only the cleaning up failed. The records are gone: a second restore would know nothing of the first. */
function whatIsComplete(plan: RestorePlan): string {
  const names = shortList(plan.collections.map(({ target }) => qualifiedName(target)));
  const again = plan.collections.every(hasWorkingName)
    ? "it need not be started again"
    : "do not start it again, it would bring every row a second time";
  return `${names} complete, as the restore left them, and maybe staged files: ${again}`;
}

const goOn = "start the same restore again to go on, or with discard (restore --discard) to remove what it made";

/** Where Milvus cannot be asked. */
function whatMayStand(plan: RestorePlan): string {
  const told = plan.collections.filter(hasWorkingName).map((collection) => {
    const { working, target, replaced } = namesOf(collection);
    const before = replaced && `; what stood there before as ${qualifiedName(target)} or as ${qualifiedName(replaced)}`;
    return `the restored one as ${qualifiedName(target)} or as ${qualifiedName(working)}${before ?? ""}`;
  });
  return `${shortList(told, { separator: "; " })}; and staged files: ${goOn}`;
}

function whatIsInPlace(plan: RestorePlan): string {
  const names = shortList(plan.collections.map(({ target }) => qualifiedName(target)));
  const replaced = plan.collections.flatMap((collection) => namesOf(collection).replaced ?? []).map(qualifiedName);
  const old = replaced.length > 0 ? `, what was replaced maybe still as ${shortList(replaced)}` : "";
  const missing = plan.rbac ? "aliases, users and roles" : "aliases";
  return `${names} in place with all rows, but maybe without ${missing} or not loaded${old}, and staged files: start the same restore again to finish it`;
}

function whatIsLeft(plan: RestorePlan): string {
  const working = plan.collections.filter(hasWorkingName);
  const direct = plan.collections.filter((collection) => !hasWorkingName(collection));
  return [
    working.length > 0 &&
      `the unfinished ${shortList(working.map((collection) => `${qualifiedName(collection.working)} (for ${qualifiedName(collection.target)})`))} and staged files: ${goOn}`,
    direct.length > 0 &&
      `${shortList(direct.map(({ target }) => qualifiedName(target)))} may hold a part of the backup's rows: start the same restore again to add the rest`,
  ]
    .filter(Boolean)
    .join("; ");
}
