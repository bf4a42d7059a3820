import type { Environment } from "../../core/environment/environment.ts";
import { releasedFailure } from "../../core/execution/failure.ts";
import type { BackupStepRequest, CaughtFailure, ReleaseResult } from "../../core/execution/messages.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { backupPlan } from "../../core/plan/backup.ts";
import { backupNameOf } from "../../core/plan/backup-name.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import { readHeld } from "../shared/held.ts";
import { releaseLease } from "../shared/lease.ts";
import { environmentToRelease, movedFrom } from "../shared/pinned-environments.ts";
import { recordFailure } from "../shared/record-failure.ts";
import { readWorkJsonIfThere } from "../shared/work-files.ts";
import { resumeGarbageCollection } from "./resume-garbage-collection.ts";

/**
 * What every failed backup ends in: stops copies still running, resumes garbage collection, gives the name free and records why.
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
  await releaseLease(context, "backup", held.leaseSubject, execution.id);
  const plan = await readWorkJsonIfThere(context, layout.plan, backupPlan);
  const backupName = backupNameOf(input, execution.startTime);
  if (!plan || plan.totals.segments === 0) return releasedFailure(failure, "");
  const moved = await movedFrom(context, layout, input.environment, backupName);
  const then =
    moved ?? `the same command goes on from there, "milvus-backup delete -n ${backupName} --incomplete" removes them`;
  return releasedFailure(
    failure,
    `segments already copied for ${backupName} stay, without full_meta.json: they are no backup; ${then}`,
  );
}

/** Whether two environments mean one Milvus, with one way to its garbage collection. */
function sameMilvus(a: Environment, b: Environment): boolean {
  const { address, port } = a.milvus;
  return address === b.milvus.address && port === b.milvus.port && a.gcPause.address === b.gcPause.address;
}
