import { logsOf, pinnedStore, type SegmentReceipt } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { BackupStepRequest, FinalizeBackupResult } from "../../core/execution/messages.ts";
import { settleAll } from "../../core/execution/settle.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { backupPlan } from "../../core/plan/backup.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import { releaseClaim } from "../shared/backup-claim.ts";
import { confirmClaim } from "../shared/claim.ts";
import { readHeld } from "../shared/held.ts";
import { pinnedEnvironment } from "../shared/pinned-environments.ts";
import { StoredBackup } from "../shared/stored-backup.ts";
import { readWorkJson, writeWorkJson } from "../shared/work-files.ts";
import { copiedCollections, plannedReceipts } from "./copied-collections.ts";
import { resumeGarbageCollection } from "./resume-garbage-collection.ts";
import { writeBackup } from "./write-backup.ts";

/** How often a backup takes a fresh cut before it gives up, by what is wrong. */
const attemptsAllowed = { "source-changed": 10, "inconsistent-logs": 4 } as const;

/** Gives a flush or compaction under way the time to end before the collection is cut anew: doubled each time. */
const firstWaitMilliseconds = 2_000;
const longestWaitMilliseconds = 60_000;

/**
 * Last step of a backup. Reads the receipts; where segments vanished (compaction, GC) it answers `source-changed`, and the machine
 * prepares the collections again that lost some. Otherwise looks for every object, writes the level metas, the manifest, and
 * `full_meta.json` as the very last object: the backup exists from then on.
 * @throws InconsistentSegments (segments by name) where fresh cuts did not help, CopyMismatch where a receipt or an object is missing,
 *   BackupExists where somebody else wrote a backup of that name meanwhile, EnvironmentChanged, ClaimLost where somebody else writes it
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
  const { objects, bytes, unsettled } = await survey(plannedReceipts(plan, { context, layout, attempt }));
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
    const collectionIds = [...new Set(unsettled.map(({ collectionId }) => collectionId))];
    await writeWorkJson(context, layout.torn(attempt), { collectionIds });
    await context.clock.sleep(Math.min(longestWaitMilliseconds, firstWaitMilliseconds * 2 ** attempt));
    return { outcome: "source-changed", ...totals };
  }

  const stored = new StoredBackup(store, environment.backupStorage, plan.backupName);
  const collections = () => copiedCollections(plan, { context, layout });
  const claim = { key: stored.layout.claim, holder: execution.id };
  const confirm = () => confirmClaim(stored.store, claim, context);
  await writeBackup(stored, plan, collections, { created: execution.startTime, objects, confirm }, context);
  const held = await readHeld(context, layout);
  const warnings = [...plan.warnings];
  if (held) {
    warnings.push(...(await resumeGarbageCollection(held, async () => environment, layout, context)));
  }
  await releaseClaim(stored, execution.id);
  return { outcome: "backed-up", ...totals, warnings };
}

/** What the copies come to, and which segments were not copied. */
async function survey(receipts: AsyncIterable<SegmentReceipt>) {
  const totals = { objects: 0, bytes: 0 };
  const unsettled: SegmentReceipt[] = [];
  for await (const receipt of receipts) {
    for (const { size } of logsOf(receipt)) {
      totals.objects += 1;
      totals.bytes += size;
    }
    if (receipt.outcome !== "copied") unsettled.push(receipt);
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
