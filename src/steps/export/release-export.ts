import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { releasedFailure } from "../../core/execution/failure.ts";
import type { CaughtFailure, ExportStepRequest, ReleaseResult } from "../../core/execution/messages.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { exportLayout } from "../../core/format/export-layout.ts";
import { exportPlan } from "../../core/plan/export.ts";
import { parseDestination } from "../../core/plan/export-destination.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { readHeld } from "../shared/held.ts";
import { environmentToRelease, sameBackupPlace } from "../shared/pinned-environments.ts";
import { unmarkReader } from "../shared/readers.ts";
import { recordFailure } from "../shared/record-failure.ts";
import { readWorkJsonIfThere } from "../shared/work-files.ts";
import { failExportClaim } from "./export-claim.ts";

/**
 * What every failed export ends in: stops batches still running, gives the backup free, marks its claim on the folder as failed and records why.
 * Files that were written stay, without a manifest: they are no export, and the same command goes on from there.
 */
export async function releaseExport(
  request: ExportStepRequest & { failure: CaughtFailure },
  context: StepContext,
): Promise<ReleaseResult> {
  const { execution, input, failure } = request;
  const layout = workLayout("export", execution.name);
  await recordFailure(context, layout, failure);
  const held = await readHeld(context, layout);
  if (!held) return releasedFailure(failure, "");
  await unmarkReader(context, held.readerKey);
  const toName = input.toEnvironment ?? input.environment;
  const to = await environmentToRelease(context, layout, toName, sameBackupPlace);
  if (to === undefined) return releasedFailure(failure, "");
  const { bucket, prefix, url } = parseDestination(input.destination, to.backupStorage);
  const store = await context.openStore({ ...pinnedStore(to, "backup"), bucket }, { earlier: true });
  const place = { store, layout: exportLayout(prefix), url };
  const isLeft = await failExportClaim(place, execution.id, context);
  const plan = await readWorkJsonIfThere(context, layout.plan, exportPlan);
  if (!isLeft || plan === undefined || plan.totals.segments === 0) return releasedFailure(failure, "");
  return releasedFailure(
    failure,
    `files already written to ${url} stay, without a manifest: they are no export; the same command goes on from there, and ` +
      "whoever wants none removes the folder",
  );
}
