import { type CopyReceipt, type SegmentReceipt, totalsOf } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { BackupStepRequest, FinalizeBackupResult } from "../../core/execution/messages.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { levelFiles } from "../../core/format/meta-files.ts";
import type { BackupPlan } from "../../core/plan/backup.ts";
import { buildBackupInfo } from "../../core/plan/backup-records.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import { readHeld } from "../shared/held.ts";
import { releaseLease } from "../shared/lease.ts";
import { removeStrayCopies } from "../shared/remove-stray-copies.ts";
import { StoredBackup } from "../shared/stored-backup.ts";
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
export async function finalizeBackup(
  request: BackupStepRequest,
  context: MilvusContext,
): Promise<FinalizeBackupResult> {
  const { execution, input, attempt } = request;
  const layout = workLayout("backup", execution.name);
  const receipts: CopyReceipt[] = [];
  for await (const receipt of readCopyReceipts(context, layout, attempt)) receipts.push(receipt);
  const [plan, environment, store] = await Promise.all([
    readWorkJson<BackupPlan>(context, layout.plan),
    context.environments.get(input.environment),
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

  const stored = new StoredBackup(store, environment.backupStorage, plan.backupName);
  await commit(stored, { plan, receipts, created: execution.startTime }, context);
  const held = await readHeld(context, layout);
  if (held) {
    await resumeGarbageCollection(held, environment, context);
    await releaseLease(context, "backup", held.leaseSubject, execution.id);
  }
  return { outcome: "backed-up", ...totals };
}

/** Data is there; then the level metas and the manifest; `full_meta.json` last. */
async function commit(
  stored: StoredBackup,
  { plan, receipts, created }: { plan: BackupPlan; receipts: readonly CopyReceipt[]; created: string },
  context: MilvusContext,
): Promise<void> {
  const backup = buildBackupInfo(
    plan,
    receipts.flatMap(({ segments }) => segments),
  );
  const files = levelFiles(backup);
  const present = await stored.commitRecord();
  // Written last, by an earlier run of this step: everything else is there.
  if (present === files.full_meta) return;
  if (present !== undefined) throw stored.writtenByOthers();
  const copied = receipts.flatMap(({ segments }) =>
    segments.flatMap(({ insertLogs, deltaLogs }) => [...insertLogs, ...deltaLogs].map(({ key }) => key)),
  );
  await removeStrayCopies(stored, new Set(copied), context);
  await Promise.all([stored.writeLevelMetas(files), writeManifest(stored, plan, receipts, files, created)]);
  await stored.commit(files.full_meta);
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
  throw new PipelineError(
    "InconsistentSegments",
    `${gaveUp.length} segments cannot be backed up after ${attempt + 1} attempts: ${shortList(gaveUp.map(describeSegment), { separator: "; " })}. ` +
      "Compact the collection in Milvus (it rewrites such segments), or try again when compaction has settled",
  );
}

function describeSegment(segment: SegmentReceipt): string {
  return `segment ${segment.segmentId} of collection ${segment.collectionId}: ${segment.problem ?? segment.outcome}`;
}
