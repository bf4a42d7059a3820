import { qualifiedName } from "../../core/milvus/names.ts";
import { hasWorkingName, type RestorePlan } from "../../core/plan/restore.ts";
import { restoreWorkLayout } from "../../core/plan/restore-work.ts";
import type { CollectionName, Milvus } from "../../ports/milvus.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { releaseLease } from "../shared/lease.ts";

/** How long imports that still run get to end; one takes about two seconds, whatever its size is below a few hundred megabytes. */
const importsMilliseconds = 120_000;
const pollMilliseconds = 500;

/**
 * Removes what a failed restore left: collections under their working names, staged files and records. Collections under their
 * target names are never touched.
 */
export async function discardRestore(
  plan: RestorePlan,
  milvus: Milvus,
  milvusStore: ObjectStore,
  context: StepContext,
  executionArn: string,
): Promise<void> {
  const databases = new Set(await milvus.listDatabases());
  for (const collection of plan.collections) {
    const { working, target } = collection;
    if (!hasWorkingName(collection)) {
      context.log.warn("rows that a failed restore imported straight into its target stay there", {
        collection: qualifiedName(target),
      });
    } else if (databases.has(working.database) && (await milvus.hasCollection(working))) {
      await waitForImports(milvus, working, context);
      await milvus.dropCollection(working);
      context.log.info("dropped what a failed restore left", { collection: qualifiedName(working) });
    }
  }
  await milvusStore.deletePrefix(plan.stagingPrefix);
  await context.work.deletePrefix(restoreWorkLayout(plan.restoreId).root);
  await releaseLease(context, "restore", plan.leaseSubject, executionArn);
}

/** Milvus 2.3 imports nothing at all for minutes, into no collection, after one was dropped while it imported into it. */
async function waitForImports(milvus: Milvus, name: CollectionName, context: StepContext): Promise<void> {
  const giveUpAt = context.clock.now().getTime() + importsMilliseconds;
  for (;;) {
    const open = (await milvus.listImports(name)).filter(({ state }) => state === "pending" || state === "importing");
    if (open.length === 0 || context.clock.now().getTime() >= giveUpAt) return;
    await context.clock.sleep(pollMilliseconds);
  }
}
