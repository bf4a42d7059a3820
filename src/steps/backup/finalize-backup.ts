import type { Environment } from "../../core/environment/environment.ts";
import { type CopyReceipt, type SegmentReceipt, totalsOf } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { BackupStepRequest, FinalizeBackupResult } from "../../core/execution/messages.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { backupLayout } from "../../core/format/layout.ts";
import { levelFiles } from "../../core/format/meta-files.ts";
import type { BackupPlan } from "../../core/plan/backup.ts";
import { buildBackupInfo } from "../../core/plan/backup-records.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { readMeta } from "../catalog/get-backup.ts";
import { readHeld } from "../shared/held.ts";
import { releaseLease } from "../shared/lease.ts";
import { removeStrayCopies } from "../shared/remove-stray-copies.ts";
import { readCopyReceipts, readWorkJson } from "../shared/work-files.ts";
import { resumeGarbageCollection } from "./resume-garbage-collection.ts";
import { writeManifest } from "./write-manifest.ts";

/** How often a backup takes a fresh list before it gives up, by what is wrong. */
const attemptsAllowed = { "source-changed": 10, "inconsistent-logs": 4 } as const;

/** Gives a flush or compaction under way the time to commit its logs, before the segment is looked at again. */
const settleMilliseconds = 5_000;

/**
 * Last step of a backup. Reads the receipts; where segments vanished (compaction, GC) it answers `source-changed` and the
 * machine prepares again. Otherwise writes the level metas, the manifest, and `full_meta.json` as the very last object: the
 * backup exists from then on.
 * Throws InconsistentSegments (segments by name) where fresh lists did not help, CopyMismatch where a receipt is missing,
 * BackupExists where somebody else wrote a backup of that name meanwhile.
 */
export async function finalizeBackup(request: BackupStepRequest, context: StepContext): Promise<FinalizeBackupResult> {
  const { execution, input, attempt } = request;
  const layout = workLayout("backup", execution.name);
  const [plan, environment, receipts, store] = await Promise.all([
    readWorkJson<BackupPlan>(context, layout.plan),
    context.environments.get(input.environment),
    readCopyReceipts(context, layout, attempt),
    context.openStore({ environment: input.environment, side: "backup" }),
  ]);
  const { objects, bytes } = totalsOf(receipts);
  const totals = {
    backupName: plan.backupName,
    collections: plan.collections.length,
    segments: plan.totals.segments,
    objects,
    bytes,
    warnings: plan.warnings,
  };
  const unsettled = receipts.flatMap(({ segments }) => segments).filter(({ outcome }) => outcome !== "copied");
  if (unsettled.length > 0) {
    checkAttempts(unsettled, attempt);
    await context.clock.sleep(settleMilliseconds);
    return { outcome: "source-changed", ...totals };
  }

  await commit({ plan, receipts, environment, created: execution.startTime }, store, context);
  const held = await readHeld(context, layout);
  if (held) {
    await resumeGarbageCollection(held, environment, context);
    await releaseLease(context, "backup", held.leaseSubject, execution.id);
  }
  return { outcome: "backed-up", ...totals };
}

/** Data is there; then the level metas and the manifest; `full_meta.json` last. */
async function commit(
  {
    plan,
    receipts,
    environment,
    created,
  }: { plan: BackupPlan; receipts: readonly CopyReceipt[]; environment: Environment; created: string },
  store: ObjectStore,
  context: StepContext,
): Promise<void> {
  const layout = backupLayout(environment.backupStorage.rootPath, plan.backupName);
  const backup = buildBackupInfo(
    plan,
    receipts.flatMap(({ segments }) => segments),
  );
  const files = levelFiles(backup);
  const present = await readMeta(store, layout.meta.full_meta);
  // Written last, by an earlier run of this step: everything else is there.
  if (present === files.full_meta) return;
  if (present !== undefined) throw writtenByOthers(plan.backupName, store);
  const copied = receipts.flatMap(({ segments }) =>
    segments.flatMap(({ insertLogs, deltaLogs }) => [...insertLogs, ...deltaLogs].map(({ key }) => key)),
  );
  await removeStrayCopies(store, layout, plan, new Set(copied), context);
  await Promise.all([
    store.putText(layout.meta.backup_meta, files.backup_meta),
    store.putText(layout.meta.collection_meta, files.collection_meta),
    store.putText(layout.meta.partition_meta, files.partition_meta),
    store.putText(layout.meta.segment_meta, files.segment_meta),
    writeManifest(store, layout, plan, receipts, files, created),
  ]);
  const written = await store.putText(layout.meta.full_meta, files.full_meta, { ifAbsent: true });
  if (!written && (await store.getText(layout.meta.full_meta)) !== files.full_meta) {
    throw writtenByOthers(plan.backupName, store);
  }
}

function writtenByOthers(backupName: string, store: ObjectStore): PipelineError {
  return new PipelineError(
    "BackupExists",
    `somebody else wrote backup ${backupName} in ${store.label} while this one was copied; choose another name`,
    { details: { key: "backupName" } },
  );
}

function checkAttempts(unsettled: readonly SegmentReceipt[], attempt: number): void {
  const orphaned = unsettled.filter(({ outcome }) => outcome === "inconsistent-logs");
  const gaveUp =
    orphaned.length > 0 && attempt + 1 >= attemptsAllowed["inconsistent-logs"]
      ? orphaned
      : attempt + 1 >= attemptsAllowed["source-changed"]
        ? unsettled
        : [];
  if (gaveUp.length === 0) return;
  const shown = gaveUp.slice(0, 10).map(describeSegment).join("; ");
  throw new PipelineError(
    "InconsistentSegments",
    `${gaveUp.length} segments cannot be backed up after ${attempt + 1} attempts: ${shown}${gaveUp.length > 10 ? "; ..." : ""}. ` +
      "Compact the collection in Milvus (it rewrites such segments), or try again when compaction has settled",
  );
}

function describeSegment(segment: SegmentReceipt): string {
  return `segment ${segment.segmentId} of collection ${segment.collectionId}: ${segment.problem ?? segment.outcome}`;
}
