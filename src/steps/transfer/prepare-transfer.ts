import { createHash } from "node:crypto";
import type { Environment } from "../../core/environment/environment.ts";
import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { ExecutionRef, PrepareTransferResult, TransferStepRequest } from "../../core/execution/messages.ts";
import { settleAll } from "../../core/execution/settle.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { type BackupLayout, backupLayout } from "../../core/format/layout.ts";
import { checkBackupName } from "../../core/milvus/names.ts";
import type { SizedSegment } from "../../core/plan/segment-copies.ts";
import { planTransferOf, type TransferPlan } from "../../core/plan/transfer.ts";
import type { ObjectStore, ObjectSummary } from "../../ports/object-store.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { checkAllowed } from "../shared/allowed.ts";
import { takeClaim } from "../shared/backup-claim.ts";
import { expectManifest } from "../shared/expect-manifest.ts";
import { findBackup } from "../shared/find-backup.ts";
import { writeHeld } from "../shared/held.ts";
import { chosenLock, keepingOf } from "../shared/locks.ts";
import { pinEnvironments, pinnedEnvironment } from "../shared/pinned-environments.ts";
import { markReader, readerKeyOf } from "../shared/readers.ts";
import { checkSource, claimSegments, readSource } from "../shared/segment-claims.ts";
import { StoredBackup } from "../shared/stored-backup.ts";
import { withoutStored } from "../shared/stored-segments.ts";
import type { StreamedMetas } from "../shared/streamed-metas.ts";
import { writeCopyBatches, writeWorkJson } from "../shared/work-files.ts";
import { checkTwoPlaces } from "./two-places.ts";

/**
 * First step of a transfer: reads the backup's commit record, checks both stores, and writes the plan and the copy batches. Where
 * the destination holds this very backup already, what is right there is left alone, and what is missing or wrong is copied again. The record is
 * read twice, as it comes: first whether it is sound, then for what every segment must hold.
 * @throws InvalidInput, BackupNotFound, BackupInUse, CorruptBackup, CopyMismatch where the backup was replaced meanwhile, BackupExists,
 *   AlreadyRunning, EnvironmentChanged and what environments and stores throw
 */
export async function prepareTransfer(
  request: TransferStepRequest,
  context: StepContext,
): Promise<PrepareTransferResult> {
  const { execution, input } = request;
  const backupName = checkBackupName(input.backupName);
  const layout = workLayout("transfer", execution.name);
  checkAllowed(context.allowed, { transfer: input.to, read: input.from });
  await pinEnvironments(context, layout, [input.from, input.to]);
  const [from, to] = await settleAll([
    pinnedEnvironment(context, layout, input.from),
    pinnedEnvironment(context, layout, input.to),
  ]);
  checkTwoPlaces(from, to, input);
  const [source, destination] = await settleAll([
    context.openStore(pinnedStore(from, "backup")),
    context.openStore(pinnedStore(to, "backup")),
  ]);
  // No more than the backup itself: a grant in another account may reach no further.
  await settleAll([checkAccess(source, from, backupName), checkAccess(destination, to, backupName)]);
  const stored = await findBackup(source, from.backupStorage, backupName);
  const kept = input.plain ? undefined : stored.layout.source;
  const lock = await chosenLock(destination, input, to, execution, context);
  const copy = new StoredBackup(destination, to.backupStorage, backupName, kept);
  for (const { store, layout } of [stored, copy]) if (layout.shared) await store.checkAccess(layout.shared.root);
  const metas = await openCommitted(stored);
  const { totals, warnings } = await readTotals(metas);
  await holdsBackup(copy, metas);
  const readerKey = readerKeyOf(stored, from.backupStorage, "transfer", execution);
  await writeHeld(context, layout, { claimed: true, readerKey, ...(kept && { sharedSource: kept }) });
  await markReader(context, stored, readerKey, execution);
  const accepts = () => holdsBackup(copy, metas);
  await takeClaim(copy, { execution, purpose: "transfer", accepts }, context);
  // Again, now that nobody else writes there.
  const alreadyThere = await holdsBackup(copy, metas);

  const { shared } = copy.layout;
  if (shared !== undefined) await claimShared(stored, copy, execution, context);

  const plan: TransferPlan = {
    backupName,
    fullMetaSha256: metas.sha256,
    alreadyThere,
    ...(stored.layout.source && { source: stored.layout.source }),
    ...(lock && { lock }),
    warnings,
    totals,
  };
  await writeWorkJson(context, layout.plan, plan);
  const segments = copiesOf(metas, stored.layout, copy.layout);
  const manifest = alreadyThere ? await stored.readManifest() : undefined;
  const sides = { source, destination, checkLogCounts: false };
  const toCopy = {
    count: totals.segments,
    segments: manifest
      ? expectManifest(stored, manifest, segments)
      : shared && !alreadyThere
        ? withoutStored(segments, sides)
        : segments,
  };
  const copies = await writeCopyBatches(context, layout, 0, toCopy, {
    source: pinnedStore(from, "backup"),
    destination: pinnedStore(to, "backup"),
    checkLogCounts: false,
    claim: { key: copy.layout.claim, holder: execution.id },
    ...(shared && { segmentsClaim: { key: shared.claim(execution.id), holder: execution.id } }),
    ...(alreadyThere && { repair: true }),
    ...keepingOf(to, lock),
  });
  const outcome = alreadyThere ? "already-there" : "planned";
  context.log.info("transfer planned", { backupName, outcome, from: source.label, to: destination.label, ...copies });
  return { outcome, backupName, collections: plan.totals.collections, ...copies };
}

function checkAccess(store: ObjectStore, { backupStorage }: Environment, backupName: string): Promise<void> {
  return store.checkAccess(backupLayout(backupStorage.rootPath, backupName).root);
}

/** @throws StoreBusy where segments are swept at the destination, InvalidInput where those are another Milvus's */
async function claimShared(
  stored: StoredBackup,
  copy: StoredBackup,
  execution: ExecutionRef,
  context: StepContext,
): Promise<void> {
  const { shared } = copy.layout;
  if (shared === undefined || stored.layout.shared === undefined) return;
  const user = { execution, purpose: "transfer", backupName: copy.name } as const;
  if (!(await claimSegments(copy.store, shared, user, context))) {
    throw new PipelineError(
      "StoreBusy",
      `a sweep of the segments below ${shared.root} in ${copy.store.label} is under way`,
    );
  }
  await checkSource(copy.store, shared, await readSource(stored.store, stored.layout.shared));
}

/** Only `full_meta.json` says that a backup is whole: without it nothing is transferred. */
async function openCommitted(stored: StoredBackup): Promise<StreamedMetas> {
  const metas = await stored.streamCommitRecord();
  if (metas !== undefined) return metas;
  throw stored.notFound(
    (await stored.hasLeftovers())
      ? "what lies there has no full_meta.json: it is being written, or its writing failed; create it again first"
      : "milvus-backup list shows what is there",
  );
}

/** Reads the metas once, before anything is held or written: what is corrupt is found here. */
async function readTotals(metas: StreamedMetas): Promise<Pick<TransferPlan, "totals" | "warnings">> {
  const stream = metas.segments();
  let segments = 0;
  let bytes = 0;
  for (;;) {
    const { done, value } = await stream.next();
    if (done) {
      const collections = value.value.collection_backups.length;
      return { totals: { collections, segments, bytes }, warnings: value.warnings };
    }
    segments += 1;
    bytes += Number(value.segment.size);
  }
}

async function* copiesOf(metas: StreamedMetas, from: BackupLayout, to: BackupLayout): AsyncGenerator<SizedSegment> {
  for await (const { segment } of metas.segments()) yield planTransferOf(segment, from, to);
}

/** @throws BackupExists where the destination holds another backup of that name, or this one as one of the other kind */
async function holdsBackup(copy: StoredBackup, metas: StreamedMetas): Promise<boolean> {
  for (const other of [copy.asPlain, ...(await copy.incrementals())]) {
    if (other.layout.source === copy.layout.source || (await other.committed()) === undefined) continue;
    const [there, wanted] = [other, copy].map(({ layout }) =>
      layout.source === undefined ? "a plain" : "an incremental",
    );
    throw new PipelineError(
      "BackupExists",
      `${there} backup ${copy.name} exists in ${copy.place}, and this would be ${wanted} one: delete that first, or copy to another environment`,
      { details: { key: "backupName" } },
    );
  }
  const present = await copy.committed();
  if (present === undefined) return false;
  if (present.size === metas.size && (await sha256Of(copy, present)) === metas.sha256) return true;
  throw new PipelineError(
    "BackupExists",
    `another backup ${copy.name}, with other content, exists in ${copy.place}; delete it there first, or create the backup under another name`,
    { details: { key: "backupName" } },
  );
}

async function sha256Of({ store }: StoredBackup, { key, etag }: ObjectSummary): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of store.readText(key, { ifMatch: etag })) hash.update(piece);
  return hash.digest("hex");
}
