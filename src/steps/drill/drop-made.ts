import * as z from "zod";
import type { Environment, RegisteredEnvironment } from "../../core/environment/environment.ts";
import { sameBucket } from "../../core/environment/storage-identity.ts";
import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { messageOf, PipelineError } from "../../core/execution/errors.ts";
import { finishRestoreResult } from "../../core/execution/messages.ts";
import { settleEach } from "../../core/execution/settle.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { executionNameOf } from "../../core/execution/state-machine-arn.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { type DrillRecord, drillRecordKey, dropOf } from "../../core/plan/drill.ts";
import { hasWorkingName, idsOf, type PlannedRestore, restorePlan } from "../../core/plan/restore.ts";
import { type CollectionRecord, collectionRecord, recordOf, restoreWorkLayout } from "../../core/plan/restore-work.ts";
import type { CollectionName, Milvus } from "../../ports/milvus.ts";
import { waitForImports } from "../restore/discard-restore.ts";
import { standingUnder } from "../restore/standing.ts";
import { readHeld } from "../shared/held.ts";
import { environmentToRelease } from "../shared/pinned-environments.ts";
import { unmarkReader } from "../shared/readers.ts";
import { forgetTargets } from "../shared/target-leases.ts";
import { readWorkJsonIfThere } from "../shared/work-files.ts";
import type { DrillContext } from "./drill-context.ts";

/** How long imports that still run get to end: one that is dropped under them keeps Milvus 2.3 from importing for minutes. */
const importsMilliseconds = 120_000;
const dropConcurrency = 8;
/** A step of a restore that was stopped may be about to make something: it asks for its lease before, which is gone by then. */
const stoppedMilliseconds = 5_000;

/**
 * Removes everything that a drill made, whatever became of it: ends its restore where that still runs, drops its collections by the IDs
 * that the restore noted, removes what was staged, the leases and the records. Runs any number of times, and goes on where it was.
 * @returns sentences: what stays, and why; with any, and where the restore had to be ended, the record stays for another run
 * @throws what Milvus and the stores throw
 */
export async function dropMade(record: DrillRecord, context: DrillContext): Promise<string[]> {
  const { restoreExecution, restoreArn } = record;
  const drill = executionNameOf(record.executionArn);
  const layout = workLayout("restore", restoreExecution);
  const state = await context.executions.state(restoreArn);
  if (state === "running") {
    // Copies under way outlive their execution; they look for this mark.
    await context.work.putText(layout.cancel, "the drill is over\n");
    await context.restores.stop(restoreArn, "the drill is over");
  }
  const held = await readHeld(context, layout);
  const plan = await readWorkJsonIfThere(context, layout.plan, restorePlan);
  const left: string[] = [];
  if (held !== undefined || plan !== undefined) {
    const environment = await environmentOf(record, context);
    if (environment === undefined) {
      return [
        `environment ${record.environment} is registered as another Milvus or not at all by now: what ends in ${record.suffix} there stays`,
      ];
    }
    const milvusStore = await context.openStore(pinnedStore(environment, "milvus"), { earlier: true });
    // First of all: a step that was not seen to end changes nothing without them.
    if (held?.targets) await forgetTargets(milvusStore, held.targets, restoreArn);
    await unmarkReader(context, held?.readerKey);
    if (plan) {
      const milvus = await context.connectMilvus(environment);
      const drop = () =>
        dropCollections(plan.collections, { milvus, key: layout.result, restoreId: plan.restoreId }, context);
      await drop();
      if (state === "running") await context.clock.sleep(stoppedMilliseconds);
      // Also what a step made that had begun before.
      left.push(...(await drop()));
      await milvusStore.deletePrefix(plan.stagingPrefix);
      if (left.length === 0) await context.work.deletePrefix(restoreWorkLayout(plan.restoreId).root);
    }
  }
  if (left.length === 0 && state !== "running") await context.work.deleteKeys([drillRecordKey(drill)]);
  return left;
}

/** The environment with which the drill began, or today's where that is the same Milvus and the same bucket. */
async function environmentOf(
  { executionArn, environment }: DrillRecord,
  context: DrillContext,
): Promise<RegisteredEnvironment | undefined> {
  const layout = workLayout("drill", executionNameOf(executionArn));
  const same = (a: Environment, b: Environment) =>
    a.milvus.address === b.milvus.address &&
    sameBucket(a.storage, b.storage) &&
    a.storage.rootPath === b.storage.rootPath;
  return environmentToRelease(context, layout, environment, same);
}

interface Dropping {
  readonly milvus: Milvus;
  /** Where the restore left its result. */
  readonly key: string;
  readonly restoreId: string;
}

/** Drops what the restore made; answers what stays. */
async function dropCollections(
  collections: readonly PlannedRestore[],
  { milvus, key, restoreId }: Dropping,
  context: DrillContext,
): Promise<string[]> {
  const made =
    (await readWorkJsonIfThere(context, restoreWorkLayout(restoreId).collections, z.array(collectionRecord))) ?? [];
  // Of a restore that came to its end the records are gone.
  const result = await readWorkJsonIfThere(context, key, finishRestoreResult);
  const finished = idsOf(result?.collections ?? []);
  const giveUpAt = context.clock.now().getTime() + importsMilliseconds;
  const left = await settleEach(collections, dropConcurrency, async (collection) => {
    const noted = finished.get(qualifiedName(collection.target)) ?? recordOf(made, collection)?.id;
    return dropOne(collection, noted, { milvus, giveUpAt }, context);
  });
  return left.flat();
}

async function dropOne(
  collection: PlannedRestore,
  noted: CollectionRecord["id"] | undefined,
  { milvus, giveUpAt }: { readonly milvus: Milvus; readonly giveUpAt: number },
  context: DrillContext,
): Promise<string[]> {
  const foreign: string[] = [];
  for (const name of ["working", "target"] as const) {
    if (name === "working" && !hasWorkingName(collection)) continue;
    const at = collection[name];
    const standing = await standingUnder(milvus, at);
    if (standing === undefined) continue;
    const isEmpty = noted === undefined && (await holdsNothing(milvus, at));
    const what = dropOf(noted, standing, { name, isEmpty });
    if (what === "foreign") foreign.push(qualifiedName(at));
    if (what !== "drop") continue;
    await waitForImports(milvus, at, giveUpAt, context);
    await milvus.dropCollection(at);
    context.log.info("dropped what a drill made", { collection: qualifiedName(at), id: standing.id });
  }
  return foreign.length === 0
    ? []
    : [`${shortList(foreign)} in Milvus at ${milvus.address} was not made by the drill and stays`];
}

async function holdsNothing(milvus: Milvus, name: CollectionName): Promise<boolean> {
  return (await milvus.rowCount(name)) === 0n && (await milvus.listImports(name)).length === 0;
}

/** What may have kept a drill from cleaning up, as a sentence for its failure; transient faults are thrown on. */
export async function tryToDrop(record: DrillRecord, context: DrillContext): Promise<string[]> {
  try {
    return await dropMade(record, context);
  } catch (error) {
    if (error instanceof PipelineError && error.kind === "transient") throw error;
    return [
      `what was made (its names end in ${record.suffix}) could not be removed: ${messageOf(error)}; the next drill removes it, or "milvus-backup drill --clean"`,
    ];
  }
}
