import * as z from "zod";
import type { Environment, RegisteredEnvironment } from "../../core/environment/environment.ts";
import { sameBucket } from "../../core/environment/storage-identity.ts";
import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { messageOf, PipelineError } from "../../core/execution/errors.ts";
import { finishRestoreResult } from "../../core/execution/messages.ts";
import { settleEach } from "../../core/execution/settle.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { executionNameOf } from "../../core/execution/state-machine-arn.ts";
import { type WorkLayout, workLayout } from "../../core/execution/work-layout.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { type DrillRecord, drillRecordKey, dropOf } from "../../core/plan/drill.ts";
import { hasWorkingName, idsOf, type PlannedRestore, restorePlan } from "../../core/plan/planned-restore.ts";
import { type CollectionRecord, collectionRecord, recordOf, restoreWorkLayout } from "../../core/plan/restore-work.ts";
import type { CollectionName, Milvus } from "../../ports/milvus.ts";
import { waitForImports } from "../restore/discard-restore.ts";
import { standingUnder } from "../restore/standing.ts";
import { readHeld } from "../shared/held.ts";
import { environmentToRelease } from "../shared/pinned-environments.ts";
import { unmarkReader } from "../shared/readers.ts";
import { forgetTargets } from "../shared/target-leases.ts";
import { readWorkJsonIfThere, writeWorkJson } from "../shared/work-files.ts";
import type { DrillContext } from "./drill-context.ts";

/** How long imports that still run get to end: one that is dropped under them keeps Milvus 2.3 from importing for minutes. */
const importsMilliseconds = 120_000;
const dropConcurrency = 8;
/** A step of a restore that was stopped may be about to make something: it asks for its lease before, which is gone by then. */
const stoppedMilliseconds = 5_000;

/**
 * Removes everything that a drill made, whatever became of it: ends its restore where that still runs, drops its collections by the IDs
 * that the restore noted, removes what was staged, the leases and the records. Runs any number of times, and goes on where it was.
 * @returns sentences: what stays, and why; with any, and where the restore was ended from outside, the record stays for another run
 * @throws what Milvus and the stores throw
 */
export async function dropMade(record: DrillRecord, context: DrillContext): Promise<string[]> {
  const { restoreExecution, restoreArn } = record;
  const drill = executionNameOf(record.executionArn);
  const layout = workLayout("restore", restoreExecution);
  const isRunning = (await context.executions.state(restoreArn)) === "running";
  if (isRunning) await context.restores.stop(restoreArn, "the drill is over");
  const held = await readHeld(context, layout);
  const plan = await readWorkJsonIfThere(context, layout.plan, restorePlan);
  // One that was stopped, by whomever, leaves neither result nor reason, and a step of it may go on.
  const isStopped = isRunning || ((held ?? plan) !== undefined && !(await saidHowItEnded(context, layout)));
  // Copies under way outlive their execution; they look for this mark.
  if (isStopped) await context.work.putText(layout.cancel, "the drill is over\n");
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
      if (isStopped) await context.clock.sleep(stoppedMilliseconds);
      // Also what a step made that had begun before.
      left.push(...(await drop()));
      await milvusStore.deletePrefix(plan.stagingPrefix);
      if (left.length === 0) await context.work.deletePrefix(restoreWorkLayout(plan.restoreId).root);
    }
  }
  if (left.length > 0) return left;
  const key = drillRecordKey(drill);
  // Looked at once more by a later run: what a step of it was about to stage is there by then.
  if (isStopped && !record.stopped) await writeWorkJson(context, key, { ...record, stopped: true });
  else if (!isRunning) await context.work.deleteKeys([key]);
  return [];
}

/** A restore that came to its end left its result; one that failed left why, when none of its steps ran any more. */
async function saidHowItEnded(context: DrillContext, layout: WorkLayout): Promise<boolean> {
  return (
    (await context.work.head(layout.result)) !== undefined || (await context.work.head(layout.failure)) !== undefined
  );
}

/** The environment with which the restore began, which may be a later one than the drill's, or today's where that is the same Milvus and bucket. */
async function environmentOf(
  { restoreExecution, environment }: DrillRecord,
  context: DrillContext,
): Promise<RegisteredEnvironment | undefined> {
  const layout = workLayout("restore", restoreExecution);
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
    const look = async () => {
      const standing = await standingUnder(milvus, at);
      const isEmpty = standing !== undefined && noted === undefined && (await holdsNothing(milvus, at));
      return dropOf(noted, standing, { name, isEmpty });
    };
    let what = await look();
    if (what === "drop") {
      await waitForImports(milvus, at, giveUpAt, context);
      // That may take minutes, and what is dropped is dropped by its name.
      what = await look();
    }
    if (what === "foreign") foreign.push(qualifiedName(at));
    if (what !== "drop") continue;
    await milvus.dropCollection(at);
    context.log.info("dropped what a drill made", { collection: qualifiedName(at), ...(noted && { id: noted }) });
  }
  return foreign.length === 0
    ? []
    : [`${shortList(foreign)} in Milvus at ${milvus.address} was not made by the drill and stays`];
}

async function holdsNothing(milvus: Milvus, name: CollectionName): Promise<boolean> {
  return (await milvus.rowCount(name)) === 0n && (await milvus.listImports(name, { others: "states" })).length === 0;
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
