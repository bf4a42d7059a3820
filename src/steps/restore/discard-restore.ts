import * as z from "zod";
import type { RegisteredEnvironment } from "../../core/environment/environment.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { settleEach } from "../../core/execution/settle.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { hasWorkingName, type PlannedRestore, type RestorePlan } from "../../core/plan/planned-restore.ts";
import { nextDiscarding } from "../../core/plan/replacement.ts";
import { collectionRecord, recordOf, restoreWorkLayout } from "../../core/plan/restore-work.ts";
import type { CollectionName, Milvus } from "../../ports/milvus.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { readWorkJsonIfThere } from "../shared/work-files.ts";
import { putIndexesBack } from "./existing-indexes.ts";
import { removeStagedElsewhere } from "./staged-places.ts";
import { lookAtNames, namesOf } from "./standing.ts";

/** How long imports that still run get to end, all together; one takes about two seconds, whatever its size is below a few hundred megabytes. */
const importsMilliseconds = 120_000;
const pollMilliseconds = 500;
const collectionConcurrency = 8;

/**
 * Removes what a failed restore left: collections under their working names, staged files and records. Collections under their target names
 * are never touched, and one that moved aside gets its name back first; what was dropped of the indexes of one that was there is made again. Looks at everything before it touches anything.
 * @param at where it stages files by now
 * @returns a sentence for each place where staged files stay
 * @throws TargetExists where something would be dropped of which nothing else is left, saying what stands where
 */
export async function discardRestore(
  plan: RestorePlan,
  milvus: Milvus,
  at: { readonly environment: RegisteredEnvironment; readonly store: ObjectStore },
  context: StepContext,
): Promise<string[]> {
  const records = restoreWorkLayout(plan.restoreId);
  const made = (await readWorkJsonIfThere(context, records.collections, z.array(collectionRecord))) ?? [];
  const databases = new Set(await milvus.listDatabases());
  const there = plan.collections.filter(({ working }) => databases.has(working.database));
  for (const { target } of there.filter((collection) => !hasWorkingName(collection))) {
    context.log.warn("rows that a failed restore imported straight into its target stay there", {
      collection: qualifiedName(target),
    });
  }
  const working = there.filter(hasWorkingName);
  const next = async (collection: PlannedRestore) => {
    const replacement = { made: recordOf(made, collection)?.id, old: collection.replaces };
    return { collection, step: nextDiscarding(replacement, await lookAtNames(milvus, collection)) };
  };
  const steps = await settleEach(working, collectionConcurrency, next);
  refuseAny(steps, milvus);

  const giveUpAt = context.clock.now().getTime() + importsMilliseconds;
  await settleEach(steps, collectionConcurrency, async ({ collection, step }) => {
    if (step.do === "put-old-back") await putBack(milvus, collection, next, context);
    if (!(await milvus.hasCollection(collection.working))) return;
    await waitForImports(milvus, collection.working, giveUpAt, context);
    await milvus.dropCollection(collection.working);
    context.log.info("dropped what a failed restore left", { collection: qualifiedName(collection.working) });
  });
  await putIndexesBack(there, plan.restoreId, milvus, context);
  await at.store.deletePrefix(plan.stagingPrefix);
  const warnings = await removeStagedElsewhere(plan, at.environment, context);
  await context.work.deletePrefix(records.root);
  return warnings;
}

interface PlannedStep {
  readonly collection: PlannedRestore;
  readonly step: ReturnType<typeof nextDiscarding>;
}

/** @throws TargetExists naming every collection that a discard must not go on with, and what stands where */
function refuseAny(steps: readonly PlannedStep[], milvus: Milvus): void {
  const refused = steps.flatMap(({ collection, step }) => (step.do === "refuse" ? [refusal(collection, step)] : []));
  if (refused.length === 0) return;
  throw new PipelineError(
    "TargetExists",
    `nothing was discarded in Milvus at ${milvus.address}: ${shortList(refused, { separator: "; " })}`,
    { details: { key: "discard" } },
  );
}

function refusal(collection: PlannedRestore, { because }: Extract<PlannedStep["step"], { do: "refuse" }>): string {
  const { working, target, replaced = target } = namesOf(collection);
  const [isWorking, is, aside] = [qualifiedName(working), qualifiedName(target), qualifiedName(replaced)];
  switch (because) {
    case "new-in-place":
      return `${is} is complete, and the one it replaced stands as ${aside}: start the same restore again to finish it, or drop one of them by hand`;
    case "target-taken":
      return `the one that was to be replaced stands as ${aside}, and somebody made another ${is}: rename or drop one of the two first`;
    case "only-copy":
      return `somebody dropped the one that was to be replaced, nothing stands as ${is}, and the new one as ${isWorking}: start the same restore again to finish it, or drop it by hand`;
  }
}

/** @throws MilvusFailed where the old one is not under its name afterwards: the new one is not dropped then */
async function putBack(
  milvus: Milvus,
  collection: PlannedRestore,
  next: (collection: PlannedRestore) => Promise<PlannedStep>,
  context: StepContext,
): Promise<void> {
  const { target, replaced } = namesOf(collection);
  if (replaced === undefined) return;
  await milvus.renameCollection(replaced, target.collection);
  const { step } = await next(collection);
  if (step.do === "drop-new") {
    context.log.info("the collection that was to be replaced has its name again", {
      collection: qualifiedName(target),
    });
    return;
  }
  throw new PipelineError(
    "MilvusFailed",
    `${qualifiedName(replaced)} was renamed to ${qualifiedName(target)} in Milvus at ${milvus.address}, and does not stand there: nothing was dropped. ` +
      "Look at the two names, then discard again",
  );
}

/** Milvus 2.3 imports nothing at all for minutes, into no collection, after one was dropped while it imported into it. */
export async function waitForImports(
  milvus: Milvus,
  name: CollectionName,
  giveUpAt: number,
  context: Pick<StepContext, "clock">,
): Promise<void> {
  for (;;) {
    const open = (await milvus.listImports(name, { others: "states" })).filter(
      ({ state }) => state === "pending" || state === "importing",
    );
    if (open.length === 0 || context.clock.now().getTime() >= giveUpAt) return;
    await context.clock.sleep(pollMilliseconds);
  }
}
