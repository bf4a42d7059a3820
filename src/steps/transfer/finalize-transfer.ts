import { type CopyReceipt, logsOf } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { FinalizeTransferResult, TransferStepRequest } from "../../core/execution/messages.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import type { TransferPlan } from "../../core/plan/transfer.ts";
import type { TextUpload } from "../../ports/object-store.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { checkBackupReceipts } from "../shared/backup-receipts.ts";
import { releaseLease } from "../shared/lease.ts";
import { settleCopies } from "../shared/settle-copies.ts";
import { StoredBackup } from "../shared/stored-backup.ts";
import { copyReceipts, readWorkJson } from "../shared/work-files.ts";
import { copyBackupFiles } from "./copy-backup-files.ts";
import { TransferredObjects, verifyCopies } from "./verify-copies.ts";

/**
 * Last step of a transfer: passes over the receipts, holds them against the backup's own checksums, looks for every object at the
 * destination, then copies its metas and manifest byte for byte, and `full_meta.json` as the very last object: the backup exists at the
 * destination from then on. Held in memory are 70 bytes of each object.
 * Throws CorruptBackup where the source does not hold what its metas say, CopyMismatch where it changed, or a receipt or object is missing,
 * BackupExists where somebody else wrote a backup of that name meanwhile.
 */
export async function finalizeTransfer(
  request: TransferStepRequest,
  context: StepContext,
): Promise<FinalizeTransferResult> {
  const { execution, input } = request;
  const layout = workLayout("transfer", execution.name);
  const [plan, from, to, source, destination] = await Promise.all([
    readWorkJson<TransferPlan>(context, layout.plan),
    context.environments.get(input.from),
    context.environments.get(input.to),
    context.openStore({ environment: input.from, side: "backup" }),
    context.openStore({ environment: input.to, side: "backup" }),
  ]);
  const consequence = `Nothing was committed in ${destination.label}; transfer another backup, or create this one again`;
  const copies = new TransferredObjects();
  const totals = await checkBackupReceipts(context, layout, plan.backupName, consequence, ({ segments }) => {
    for (const segment of segments) for (const log of logsOf(segment)) copies.add(log);
  });
  const backup = new StoredBackup(source, from.backupStorage, plan.backupName);
  const copy = new StoredBackup(destination, to.backupStorage, plan.backupName);
  await writeCopy(plan, { backup, copy, copies, receipts: () => copyReceipts(context, layout, 0) }, context);
  await releaseLease(context, "backup", copy.leaseSubject, execution.id);
  return {
    outcome: plan.alreadyThere ? "already-there" : "transferred",
    backupName: plan.backupName,
    collections: plan.totals.collections,
    segments: plan.totals.segments,
    ...totals,
    warnings: plan.warnings,
  };
}

interface Transfer {
  readonly backup: StoredBackup;
  readonly copy: StoredBackup;
  readonly copies: TransferredObjects;
  readonly receipts: () => AsyncIterable<CopyReceipt>;
}

async function writeCopy(
  plan: TransferPlan,
  { backup, copy, copies, receipts }: Transfer,
  context: Pick<StepContext, "log">,
): Promise<void> {
  const commitRecord = copy.openMeta("full_meta");
  try {
    const source = await backup.committed();
    await readUnchanged(plan, backup, commitRecord);
    await verifyCopies(backup, commitRecord.written.sha256, copies, context);
    const copied = async function* () {
      for await (const { segments } of receipts()) for (const segment of segments) yield* logsOf(segment);
    };
    await settleCopies(copy, copies.expected, copied, context);
    await copyBackupFiles(backup, copy);
    // what was copied since it was read must be of the same backup
    const { etag } = (await backup.committed()) ?? {};
    if (etag !== source?.etag) throw changed(plan, backup, etag === undefined ? "deleted" : "replaced");
    await copy.commit(commitRecord);
  } catch (error) {
    await commitRecord.abort();
    throw error;
  }
}

/** Sends the commit record on its way, if it is still the one whose segments were copied. */
async function readUnchanged(plan: TransferPlan, backup: StoredBackup, commitRecord: TextUpload): Promise<void> {
  try {
    for await (const bytes of backup.store.getBytes(backup.layout.meta.full_meta)) await commitRecord.write(bytes);
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
