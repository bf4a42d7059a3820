import {
  addTotals,
  type CopyReceipt,
  type CopyTotals,
  noTotals,
  type SegmentReceipt,
} from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { BackupStepRequest, FinalizeBackupResult } from "../../core/execution/messages.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import type { BackupPlan } from "../../core/plan/backup.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import { readHeld } from "../shared/held.ts";
import { releaseLease } from "../shared/lease.ts";
import { StoredBackup } from "../shared/stored-backup.ts";
import { copyReceipts, readWorkJson } from "../shared/work-files.ts";
import { copiedCollections } from "./copied-collections.ts";
import { resumeGarbageCollection } from "./resume-garbage-collection.ts";
import { writeBackup } from "./write-backup.ts";

/** How often a backup takes a fresh list before it gives up, by what is wrong. */
const attemptsAllowed = { "source-changed": 10, "inconsistent-logs": 4 } as const;

/** Gives a flush or compaction under way the time to commit its logs, before the segment is looked at again. */
const settleMilliseconds = 5_000;

/**
 * Last step of a backup. Reads the receipts; where segments vanished (compaction, GC) it answers `source-changed` and the
 * machine prepares again. Otherwise looks for every object, writes the level metas, the manifest, and `full_meta.json` as the very
 * last object: the backup exists from then on.
 * Throws InconsistentSegments (segments by name) where fresh lists did not help, CopyMismatch where a receipt or an object is missing,
 * BackupExists where somebody else wrote a backup of that name meanwhile.
 */
export async function finalizeBackup(
  request: BackupStepRequest,
  context: MilvusContext,
): Promise<FinalizeBackupResult> {
  const { execution, input, attempt } = request;
  const layout = workLayout("backup", execution.name);
  const [plan, environment, store] = await Promise.all([
    readWorkJson<BackupPlan>(context, layout.plan),
    context.environments.get(input.environment),
    context.openStore({ environment: input.environment, side: "backup" }),
  ]);
  const receipts = () => copyReceipts(context, layout, attempt);
  const { objects, bytes, unsettled } = await survey(receipts());
  const totals = {
    backupName: plan.backupName,
    collections: plan.collections.length,
    segments: plan.totals.segments,
    objects,
    bytes,
    warnings: plan.warnings,
  };
  if (unsettled.length > 0) {
    checkAttempts(unsettled, attempt);
    await context.clock.sleep(settleMilliseconds);
    return { outcome: "source-changed", ...totals };
  }

  const stored = new StoredBackup(store, environment.backupStorage, plan.backupName);
  const collections = () => copiedCollections(plan.collections, receipts());
  await writeBackup(stored, plan, collections, { created: execution.startTime }, context);
  const held = await readHeld(context, layout);
  if (held) {
    await resumeGarbageCollection(held, environment, context);
    await releaseLease(context, "backup", held.leaseSubject, execution.id);
  }
  return { outcome: "backed-up", ...totals };
}

/** What the receipts come to, and which segments were not copied. */
async function survey(receipts: AsyncIterable<CopyReceipt>): Promise<CopyTotals & { unsettled: SegmentReceipt[] }> {
  const totals = noTotals();
  const unsettled: SegmentReceipt[] = [];
  for await (const receipt of receipts) {
    addTotals(totals, receipt);
    unsettled.push(...receipt.segments.filter(({ outcome }) => outcome !== "copied"));
  }
  return { ...totals, unsettled };
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
