import type { Environment } from "../../core/environment/environment.ts";
import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { releasedFailure } from "../../core/execution/failure.ts";
import type { BackupStepRequest, CaughtFailure, ReleaseResult } from "../../core/execution/messages.ts";
import { describeLock } from "../../core/execution/object-lock.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { backupPlan } from "../../core/plan/backup.ts";
import { backupNameOf } from "../../core/plan/backup-name.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import { markClaimFailed } from "../shared/backup-claim.ts";
import { type Held, readHeld } from "../shared/held.ts";
import { environmentToRelease, movedFrom, sameBackupPlace } from "../shared/pinned-environments.ts";
import { recordFailure } from "../shared/record-failure.ts";
import { failSegmentsClaim } from "../shared/segment-claims.ts";
import { StoredBackup } from "../shared/stored-backup.ts";
import { readWorkJsonIfThere } from "../shared/work-files.ts";
import { resumeGarbageCollection } from "./resume-garbage-collection.ts";

/**
 * What every failed backup ends in: stops copies still running, resumes garbage collection, marks its claim as failed and records why.
 * What was copied stays, without `full_meta.json`: it is no backup, and the same command takes it up again.
 */
export async function releaseBackup(
  request: BackupStepRequest & { failure: CaughtFailure },
  context: MilvusContext,
): Promise<ReleaseResult> {
  const { execution, input, failure } = request;
  const layout = workLayout("backup", execution.name);
  await recordFailure(context, layout, failure);
  const held = await readHeld(context, layout);
  if (!held) return releasedFailure(failure, "");

  if (held.garbageCollectionPause) {
    // never today's server for a pause of another one: without its ticket the call would end somebody else's pause
    const find = () => environmentToRelease(context, layout, input.environment, sameMilvus);
    await resumeGarbageCollection(held, find, layout, context);
  }
  await markFailed(request, held, context);
  const plan = await readWorkJsonIfThere(context, layout.plan, backupPlan);
  const backupName = backupNameOf(input, execution.startTime);
  if (!plan || plan.totals.segments === 0) return releasedFailure(failure, "");
  const moved = await movedFrom(context, layout, input.environment, backupName);
  const removed = `"milvus-backup delete -n ${backupName} --incomplete" removes them`;
  const later = plan.lock ? `; they are ${describeLock(plan.lock)}, and after that ${removed}` : `, ${removed}`;
  const then = moved ?? `the same command goes on from there${later}`;
  return releasedFailure(
    failure,
    `segments already copied for ${backupName} stay, without full_meta.json: they are no backup; ${then}`,
  );
}

/** Where the backup is written: today's registration if it still means that place, otherwise the one the execution began with. */
async function markFailed(
  { execution, input }: BackupStepRequest,
  { sharedSource }: Held,
  context: MilvusContext,
): Promise<void> {
  const layout = workLayout("backup", execution.name);
  const environment = await environmentToRelease(context, layout, input.environment, sameBackupPlace);
  if (environment === undefined) return;
  const store = await context.openStore(pinnedStore(environment, "backup"), { earlier: true });
  const name = backupNameOf(input, execution.startTime);
  const stored = new StoredBackup(store, environment.backupStorage, name, sharedSource);
  const { shared } = stored.layout;
  if (shared) await failSegmentsClaim(store, shared, execution.id, context);
  await markClaimFailed(stored, execution.id, context);
}

/** Whether two environments mean one Milvus, with one way to its garbage collection. */
function sameMilvus(a: Environment, b: Environment): boolean {
  const { address, port } = a.milvus;
  return address === b.milvus.address && port === b.milvus.port && a.gcPause.address === b.gcPause.address;
}
