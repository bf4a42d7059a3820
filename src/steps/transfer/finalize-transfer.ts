import { addTotals, logsOf, noTotals, pinnedStore } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { fittingWarnings } from "../../core/execution/fitting.ts";
import type { FinalizeTransferResult, TransferStepRequest } from "../../core/execution/messages.ts";
import { covers } from "../../core/execution/object-lock.ts";
import { settleAll } from "../../core/execution/settle.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { type TransferPlan, transferPlan } from "../../core/plan/transfer.ts";
import type { TextUpload } from "../../ports/object-store.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { releaseClaim } from "../shared/backup-claim.ts";
import { readBackupReceipts } from "../shared/backup-receipts.ts";
import { confirmClaim, hasClaim } from "../shared/claim.ts";
import { readHeld } from "../shared/held.ts";
import { notLocked } from "../shared/locks.ts";
import { pinnedEnvironment } from "../shared/pinned-environments.ts";
import { unmarkReader } from "../shared/readers.ts";
import { releaseSegmentsClaim } from "../shared/segment-claims.ts";
import { type CopiedObjects, settleCopies } from "../shared/settle-copies.ts";
import { StoredBackup } from "../shared/stored-backup.ts";
import { readCopyReceipts, readWorkJson } from "../shared/work-files.ts";
import { copyBackupFiles } from "./copy-backup-files.ts";
import { verifyCopies } from "./verify-copies.ts";
import { writePlainFiles } from "./write-plain-files.ts";

/**
 * Last step of a transfer: passes over the receipts, holds them against the backup's own checksums, looks for every object at the
 * destination, then copies its metas and manifest byte for byte, and `full_meta.json` as the very last object: the backup exists at the
 * destination from then on. Held in memory are 30 bytes of each object.
 * @throws CorruptBackup where the source does not hold what its metas say, CopyMismatch where it changed, or a receipt or object is
 *   missing, BackupExists where somebody else wrote a backup of that name meanwhile, EnvironmentChanged, ClaimLost where somebody else
 *   writes it
 */
export async function finalizeTransfer(
  request: TransferStepRequest,
  context: StepContext,
): Promise<FinalizeTransferResult> {
  const { execution, input } = request;
  const layout = workLayout("transfer", execution.name);
  const [plan, from, to] = await settleAll([
    readWorkJson(context, layout.plan, transferPlan),
    pinnedEnvironment(context, layout, input.from),
    pinnedEnvironment(context, layout, input.to),
  ]);
  const [source, destination] = await Promise.all([
    context.openStore(pinnedStore(from, "backup")),
    context.openStore(pinnedStore(to, "backup")),
  ]);
  const consequence = plan.alreadyThere
    ? `What is right in ${destination.label} was left as it is`
    : `Nothing was committed in ${destination.label}; transfer another backup, or create this one again`;
  const totals = noTotals();
  const collectionIds = new Set<string>();
  for await (const receipt of readBackupReceipts(context, layout, plan.backupName, consequence)) {
    addTotals(totals, receipt);
    if (plan.lock && !covers(receipt.lock, plan.lock)) throw notLocked(receipt.batch, plan.lock);
    for (const { collectionId } of receipt.segments) collectionIds.add(collectionId);
  }
  const backup = new StoredBackup(source, from.backupStorage, plan.backupName, plan.source);
  const kept = input.plain ? undefined : plan.source;
  const copy = new StoredBackup(destination, to.backupStorage, plan.backupName, kept, plan.lock);
  const logs = async function* () {
    for await (const { segments } of readCopyReceipts(context, layout, 0)) for (const it of segments) yield* logsOf(it);
  };
  const copied = { count: totals.objects, logs, collectionIds: () => collectionIds };
  await writeCopy(plan, { backup, copy, copied, holder: execution.id }, context);
  // first the one that a step which runs again goes by
  await releaseClaim(copy, execution.id);
  const { shared } = copy.layout;
  if (shared) await releaseSegmentsClaim(destination, shared, execution.id);
  await unmarkReader(context, (await readHeld(context, layout))?.readerKey);
  return {
    outcome: plan.alreadyThere ? "already-there" : "transferred",
    backupName: plan.backupName,
    collections: plan.totals.collections,
    segments: plan.totals.segments,
    ...totals,
    ...(plan.lock && { lock: plan.lock }),
    warnings: fittingWarnings(plan.warnings, `${layout.plan} in the work bucket`),
  };
}

interface Transfer {
  readonly backup: StoredBackup;
  readonly copy: StoredBackup;
  readonly copied: CopiedObjects;
  readonly holder: string;
}

async function writeCopy(
  plan: TransferPlan,
  { backup, copy, copied, holder }: Transfer,
  context: Pick<StepContext, "clock" | "log">,
): Promise<void> {
  const claim = { key: copy.layout.claim, holder };
  const { shared } = copy.layout;
  const stillClaimed = async () => {
    await confirmClaim(copy.store, claim, context);
    if (shared) await confirmClaim(copy.store, { key: shared.claim(holder), holder }, context);
  };
  const isThisBackup = await copy.isCommittedAs({ sha256: plan.fullMetaSha256 });
  // The commit comes last. A repairing one finds it from the beginning: it is done when it has given its claim back.
  if (isThisBackup && (!plan.alreadyThere || !(await hasClaim(copy.store, claim)))) return;
  if (isThisBackup === false) throw copy.writtenByOthers();
  const commitRecord = copy.openMeta("full_meta");
  try {
    const source = await backup.committed();
    await readUnchanged(plan, backup, commitRecord);
    await verifyCopies(backup, commitRecord.written.sha256, copied, context);
    const confirm = async () => {
      await stillClaimed();
      if ((await copy.isCommittedAs(commitRecord.written)) === false) throw copy.writtenByOthers();
    };
    await settleCopies(copy, copied, { confirm }, context);
    await confirm();
    if (backup.layout.source === copy.layout.source) await copyBackupFiles(backup, copy, { repair: plan.alreadyThere });
    else await writePlainFiles(backup, copy, confirm);
    // what was copied since it was read must be of the same backup
    const { etag } = (await backup.committed()) ?? {};
    if (etag !== source?.etag) throw changed(plan, backup, etag === undefined ? "deleted" : "replaced");
    await copy.removeOtherKinds(confirm);
    await stillClaimed();
    await copy.commit(commitRecord);
  } catch (error) {
    await commitRecord.abort();
    throw error;
  }
}

/** Sends the commit record on its way, if it is still the one whose segments were copied. */
async function readUnchanged(plan: TransferPlan, backup: StoredBackup, commitRecord: TextUpload): Promise<void> {
  try {
    for await (const text of backup.store.readText(backup.layout.meta.full_meta)) await commitRecord.write(text);
  } catch (error) {
    if (!(error instanceof PipelineError) || error.name !== "ObjectNotFound") throw error;
    throw changed(plan, backup, "deleted");
  }
  if (commitRecord.written.sha256 !== plan.fullMetaSha256) throw changed(plan, backup, "replaced");
}

function changed({ backupName }: TransferPlan, backup: StoredBackup, how: "deleted" | "replaced"): PipelineError {
  return new PipelineError(
    "CopyMismatch",
    `backup ${backupName} in ${backup.store.label} was ${how} while it was transferred; start the transfer again once it is complete`,
    { details: { key: backup.layout.meta.full_meta } },
  );
}
