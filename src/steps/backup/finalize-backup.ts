import { pinnedStore, type SegmentReceipt } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { BackupStepRequest, ExecutionRef, FinalizeBackupResult } from "../../core/execution/messages.ts";
import { settleAll } from "../../core/execution/settle.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { levelFiles } from "../../core/format/meta-files.ts";
import { type BackupPlan, backupPlan, type PlannedCollection, plannedCollection } from "../../core/plan/backup.ts";
import { buildBackupInfo } from "../../core/plan/backup-records.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import { confirmClaim, releaseClaim } from "../shared/claim.ts";
import { readHeld } from "../shared/held.ts";
import { pinnedEnvironment } from "../shared/pinned-environments.ts";
import { removeStrayCopies } from "../shared/remove-stray-copies.ts";
import { StoredBackup } from "../shared/stored-backup.ts";
import { readCopyReceipts, readWorkJson, writeWorkJson } from "../shared/work-files.ts";
import { resumeGarbageCollection } from "./resume-garbage-collection.ts";
import { writeManifest } from "./write-manifest.ts";

/** How often a backup takes a fresh cut before it gives up, by what is wrong. */
const attemptsAllowed = { "source-changed": 10, "inconsistent-logs": 4 } as const;

/** Gives a flush or compaction under way the time to end before the collection is cut anew: doubled each time. */
const firstWaitMilliseconds = 2_000;
const longestWaitMilliseconds = 60_000;

/**
 * Last step of a backup. Reads the receipts; where segments vanished (compaction, GC) it answers `source-changed`, and the machine
 * prepares the collections again that lost some. Otherwise writes the level metas, the manifest, and `full_meta.json` as the very last
 * object: the backup exists from then on.
 * @throws InconsistentSegments (segments by name) where fresh cuts did not help, CopyMismatch where a receipt is missing, BackupExists
 *   where somebody else wrote a backup of that name meanwhile, EnvironmentChanged, ClaimLost where somebody else writes it
 */
export async function finalizeBackup(
  request: BackupStepRequest,
  context: MilvusContext,
): Promise<FinalizeBackupResult> {
  const { execution, input, attempt } = request;
  const layout = workLayout("backup", execution.name);
  const environment = await pinnedEnvironment(context, layout, input.environment);
  const [plan, store] = await settleAll([
    readWorkJson(context, layout.plan, backupPlan),
    context.openStore(pinnedStore(environment, "backup")),
  ]);
  const { receipts, collections } = await readCopied(plan, { context, layout, attempt });
  const logs = receipts.flatMap(({ insertLogs, deltaLogs }) => [...insertLogs, ...deltaLogs]);
  const totals = {
    backupName: plan.backupName,
    collections: plan.collections.length,
    segments: plan.totals.segments,
    objects: logs.length,
    bytes: logs.reduce((sum, { size }) => sum + size, 0),
    warnings: plan.warnings,
  };
  const unsettled = receipts.filter(({ outcome }) => outcome !== "copied");
  if (unsettled.length > 0) {
    checkAttempts(unsettled, attempt);
    const collectionIds = [...new Set(unsettled.map(({ collectionId }) => collectionId))];
    await writeWorkJson(context, layout.torn(attempt), { collectionIds });
    await context.clock.sleep(Math.min(longestWaitMilliseconds, firstWaitMilliseconds * 2 ** attempt));
    return { outcome: "source-changed", ...totals };
  }

  const stored = new StoredBackup(store, environment.backupStorage, plan.backupName);
  await commit(stored, { plan, collections, receipts, execution }, context);
  const held = await readHeld(context, layout);
  const warnings = [...plan.warnings];
  if (held) {
    warnings.push(...(await resumeGarbageCollection(held, async () => environment, layout, context)));
  }
  await releaseClaim(stored, execution.id);
  return { outcome: "backed-up", ...totals, warnings };
}

/** What the plan names and the copies left: of each collection, the receipts of the attempt that planned it. */
async function readCopied(
  plan: BackupPlan,
  { context, layout, attempt }: { context: MilvusContext; layout: ReturnType<typeof workLayout>; attempt: number },
): Promise<{ receipts: SegmentReceipt[]; collections: PlannedCollection[] }> {
  const plannedIn = new Map(plan.collections.map((entry) => [entry.id, entry.attempt]));
  const attempts = new Set([attempt, ...plannedIn.values()]);
  const receipts: SegmentReceipt[] = [];
  for (const one of attempts) {
    for await (const { segments } of readCopyReceipts(context, layout, one)) {
      for (const segment of segments) if (plannedIn.get(segment.collectionId) === one) receipts.push(segment);
    }
  }
  const collections: PlannedCollection[] = [];
  for (const entry of plan.collections) {
    collections.push(await readWorkJson(context, layout.collection(entry.attempt, entry.index), plannedCollection));
  }
  return { receipts, collections };
}

/** Data is there; then the level metas and the manifest; `full_meta.json` last. */
async function commit(
  stored: StoredBackup,
  {
    plan,
    collections,
    receipts,
    execution,
  }: {
    plan: BackupPlan;
    collections: readonly PlannedCollection[];
    receipts: readonly SegmentReceipt[];
    execution: ExecutionRef;
  },
  context: MilvusContext,
): Promise<void> {
  const backup = buildBackupInfo(plan, collections, receipts);
  const files = levelFiles(backup);
  const present = await stored.commitRecord();
  // Written last, by an earlier run of this step: everything else is there.
  if (present === files.full_meta) return;
  if (present !== undefined) throw stored.writtenByOthers();
  const claim = { key: stored.layout.claim, holder: execution.id };
  await confirmClaim(stored.store, claim, context);
  const copied = receipts.flatMap(({ insertLogs, deltaLogs }) => [...insertLogs, ...deltaLogs].map(({ key }) => key));
  await removeStrayCopies(stored, new Set(copied), context);
  await settleAll([
    stored.writeLevelMetas(files),
    writeManifest(stored, plan, collections, receipts, files, execution.startTime),
  ]);
  await confirmClaim(stored.store, claim, context);
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
