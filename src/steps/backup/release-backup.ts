import { releasedFailure } from "../../core/execution/failure.ts";
import type { BackupStepRequest, CaughtFailure, ReleaseResult } from "../../core/execution/messages.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { backupPlan } from "../../core/plan/backup.ts";
import { backupNameOf } from "../../core/plan/backup-name.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import { readHeld } from "../shared/held.ts";
import { releaseLease } from "../shared/lease.ts";
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
    await resumeGarbageCollection(held, await context.environments.get(input.environment), layout, context);
  }
  await releaseLease(context, "backup", held.leaseSubject, execution.id);
  const plan = await readWorkJsonIfThere(context, layout.plan, backupPlan);
  const backupName = backupNameOf(input, execution.startTime);
  return releasedFailure(
    failure,
    !plan || plan.totals.segments === 0
      ? ""
      : `segments already copied for ${backupName} stay, without full_meta.json: they are no backup; the same command goes on from there, "milvus-backup delete -n ${backupName} --incomplete" removes them`,
  );
}
