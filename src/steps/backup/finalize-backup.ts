import type { Environment } from "../../core/environment/environment.ts";
import { logsOf, pinnedStore, type SegmentReceipt } from "../../core/execution/copy-plan.ts";
import { countOf, isOrAre } from "../../core/execution/count-of.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { fittingWarnings } from "../../core/execution/fitting.ts";
import type { BackupStepRequest, ExecutionRef, FinalizeBackupResult } from "../../core/execution/messages.ts";
import { settleAll } from "../../core/execution/settle.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { countRbac, fromRbacMeta } from "../../core/milvus/rbac.ts";
import { backupPlan } from "../../core/plan/backup.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import { releaseClaim } from "../shared/backup-claim.ts";
import { confirmClaim } from "../shared/claim.ts";
import { readHeld } from "../shared/held.ts";
import { pinnedEnvironment } from "../shared/pinned-environments.ts";
import { releaseSegmentsClaim, sourceOf } from "../shared/segment-claims.ts";
import { type BackupSigner, signBackup } from "../shared/signatures.ts";
import { StoredBackup } from "../shared/stored-backup.ts";
import { freeKeys } from "../shared/sweep-segments.ts";
import { readWorkJson, writeWorkJson } from "../shared/work-files.ts";
import { rbacWarnings, readRbac } from "./backup-rbac.ts";
import { copiedCollections, plannedReceipts } from "./copied-collections.ts";
import { readEncryptionKeys } from "./encryption-keys.ts";
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
  context: MilvusContext & { readonly signer?: BackupSigner | undefined },
): Promise<FinalizeBackupResult> {
  const { execution, input, attempt } = request;
  const layout = workLayout("backup", execution.name);
  const environment = await pinnedEnvironment(context, layout, input.environment);
  const [plan, store] = await settleAll([
    readWorkJson(context, layout.plan, backupPlan),
    context.openStore(pinnedStore(environment, "backup")),
  ]);
  const source = input.incremental ? sourceOf(environment.storage) : undefined;
  const { objects, bytes, newObjects, newBytes, noted, unsettled } = await survey(
    plannedReceipts(plan, { context, layout, attempt }),
  );
  const incremental = source === undefined ? undefined : { source, newObjects, newBytes };
  const totals = {
    backupName: plan.backupName,
    collections: plan.collections.length,
    segments: plan.totals.segments,
    objects,
    bytes,
    ...(incremental && { newObjects, newBytes }),
    ...(plan.lock && { lock: plan.lock }),
    warnings: fittingWarnings(plan.warnings, `${layout.plan} in the work bucket`),
  };
  if (unsettled.length > 0) {
    checkAttempts(unsettled, attempt);
    if (source !== undefined) await resolveConflicts(unsettled, { store, environment, source, execution }, context);
    const collectionIds = [...new Set(unsettled.map(({ collectionId }) => collectionId))];
    await writeWorkJson(context, layout.torn(attempt), { collectionIds });
    await context.clock.sleep(Math.min(longestWaitMilliseconds, firstWaitMilliseconds * 2 ** attempt));
    return { outcome: "source-changed", ...totals };
  }

  const stored = new StoredBackup(store, environment.backupStorage, plan.backupName, source, plan.lock);
  const { shared } = stored.layout;
  const collections = () => copiedCollections(plan, { context, layout });
  const claims = [stored.layout.claim, ...(shared ? [shared.claim(execution.id)] : [])];
  const confirm = async () => {
    for (const key of claims) await confirmClaim(stored.store, { key, holder: execution.id }, context);
  };
  const warnings = [...totals.warnings];
  const { signer } = context;
  if (signer && noted > 0) warnings.push(notSigned(noted));
  const sign =
    signer &&
    noted === 0 &&
    (async ({ sha256, loose }: { readonly sha256: string; readonly loose: number }) => {
      if (loose > 0) warnings.push(notPinned(loose));
      const signed = { backupId: plan.backupId, manifest: sha256 };
      await signBackup(stored, environment.backupStorage, signed, signer);
    });
  const options = { created: execution.startTime, objects, incremental, sign: sign || undefined, confirm };
  const rbac = input.rbac ? await readRbac(stored, () => context.connectMilvus(environment)) : undefined;
  if (rbac) warnings.push(...rbacWarnings(rbac, plan.milvusVersion));
  const encryptionKeys = await readEncryptionKeys(stored, plan.databases, () => context.connectMilvus(environment));
  await writeBackup(stored, { ...plan, rbac, encryptionKeys }, collections, options, context);
  const held = await readHeld(context, layout);
  if (held) {
    warnings.push(...(await resumeGarbageCollection(held, async () => environment, layout, context)));
  }
  if (shared) await releaseSegmentsClaim(store, shared, execution.id);
  await releaseClaim(stored, execution.id);
  const counts = rbac && { rbac: countRbac(fromRbacMeta(rbac)) };
  return { outcome: "backed-up", ...totals, ...counts, warnings };
}

function notPinned(logs: number): string {
  return (
    `${countOf(logs, "object", ["has", "have"])} no checksum but a CRC (the bucket encrypts with KMS, or they were copied in parts), for which other content can be made: ` +
    "the signature does not vouch for them, and a restore with signedBy refuses the backup"
  );
}

function notSigned(logs: number): string {
  return (
    `${countOf(logs, "object")} lay there before, and what is there is told to be what was to be copied by the note beside it alone, which whoever writes into the bucket ` +
    "can write too: the backup is not signed, and a restore with signedBy refuses it. Make one that is not incremental, under another name"
  );
}

/** What the copies come to, and which segments were not copied. */
async function survey(receipts: AsyncIterable<SegmentReceipt>) {
  const totals = { objects: 0, bytes: 0, newObjects: 0, newBytes: 0, noted: 0 };
  const unsettled: SegmentReceipt[] = [];
  for await (const receipt of receipts) {
    for (const { size, there, noted } of logsOf(receipt)) {
      totals.objects += 1;
      if (noted) totals.noted += 1;
      totals.bytes += size;
      if (there) continue;
      totals.newObjects += 1;
      totals.newBytes += size;
    }
    if (receipt.outcome !== "copied") unsettled.push(receipt);
  }
  return { ...totals, unsettled };
}

/** So many keys are looked for in the manifests of other backups. */
const mostConflicts = 10_000;

interface Incremental {
  readonly store: ObjectStore;
  readonly environment: Environment;
  readonly source: string;
  readonly execution: ExecutionRef;
}

/**
 * Removes what is stored under keys of this backup's segments and is something else, where no complete backup names it: the next attempt
 * copies it anew. Where another backup may use it by now, the next attempt looks again.
 * @throws InconsistentSegments where a complete backup names it, with the sums of both
 */
async function resolveConflicts(
  unsettled: readonly SegmentReceipt[],
  { store, environment, source, execution }: Incremental,
  context: MilvusContext,
): Promise<void> {
  const conflicting = unsettled.filter(({ outcome }) => outcome === "conflict");
  const keys = conflicting.flatMap(({ conflicts = [] }) => conflicts).slice(0, mostConflicts);
  if (keys.length === 0) return;
  const who = { holder: `backup ${execution.id}`, deployment: execution.id, exempt: execution.id };
  try {
    const { namedBy, removed } = await freeKeys(store, environment.backupStorage, source, keys, who, context);
    if (namedBy.length === 0) {
      context.log.warn("removed shared objects that were not what Milvus has, and that no backup names", { removed });
      return;
    }
    throw new PipelineError(
      "InconsistentSegments",
      `${countOf(conflicting.length, "segment", isOrAre)} stored with other content, which backups have: ${shortList(namedBy)}. Nothing was overwritten: ` +
        `${shortList(conflicting.map(describeSegment), { limit: 3, separator: "; " })}. Find out which of the two is right ("milvus-backup peek"); make a plain ` +
        "backup meanwhile, or delete those backups if what they hold is damaged",
    );
  } catch (error) {
    if (!(error instanceof PipelineError) || !["BackupInUse", "AlreadyRunning", "ClaimLost"].includes(error.name))
      throw error;
    context.log.info("somebody else may use segments that are stored with other content", { reason: error.message });
  }
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
  const conflicting = gaveUp.filter(({ outcome }) => outcome === "conflict");
  if (conflicting.length > 0) {
    throw new PipelineError(
      "InconsistentSegments",
      `${countOf(conflicting.length, "segment", isOrAre)} stored with other content, and after ${attempt + 1} attempts others may still use it: ` +
        `${shortList(conflicting.map(describeSegment), { limit: 3, separator: "; " })}. Start the same command again when no other backup of this Milvus runs`,
    );
  }
  throw new PipelineError(
    "InconsistentSegments",
    `${countOf(gaveUp.length, "segment")} cannot be backed up after ${attempt + 1} attempts: ${shortList(gaveUp.map(describeSegment), { separator: "; " })}. ` +
      "Compact the collection in Milvus (it rewrites such segments), or try again when compaction has settled",
  );
}

function describeSegment(segment: SegmentReceipt): string {
  return `segment ${segment.segmentId} of collection ${segment.collectionId}: ${segment.problem ?? segment.outcome}`;
}
