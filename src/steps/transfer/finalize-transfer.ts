import { type CopyReceipt, pinnedStore, totalsOf } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { FinalizeTransferResult, TransferStepRequest } from "../../core/execution/messages.ts";
import { settleAll } from "../../core/execution/settle.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { manifestFileOf } from "../../core/format/manifest.ts";
import { type TransferPlan, transferPlan } from "../../core/plan/transfer.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { readBackupReceipts } from "../shared/backup-receipts.ts";
import { confirmClaim, hasClaim, releaseClaim } from "../shared/claim.ts";
import { readHeld } from "../shared/held.ts";
import { pinnedEnvironment } from "../shared/pinned-environments.ts";
import { unmarkReader } from "../shared/readers.ts";
import { removeStrayCopies } from "../shared/remove-stray-copies.ts";
import { StoredBackup } from "../shared/stored-backup.ts";
import { readWorkJson } from "../shared/work-files.ts";
import { copyBackupFiles } from "./copy-backup-files.ts";
import { verifyCopies } from "./verify-copies.ts";

/**
 * Last step of a transfer: reads the receipts, holds them against the backup's own checksums, then copies its metas and manifest
 * byte for byte, and `full_meta.json` as the very last object: the backup exists at the destination from then on.
 * Throws CorruptBackup where the source does not hold what its metas say, CopyMismatch where it changed or a receipt is missing,
 * BackupExists where somebody else wrote a backup of that name meanwhile, EnvironmentChanged, ClaimLost where somebody else writes it.
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
  const receipts: CopyReceipt[] = [];
  for await (const receipt of readBackupReceipts(context, layout, plan.backupName, consequence)) receipts.push(receipt);
  const backup = new StoredBackup(source, from.backupStorage, plan.backupName);
  const copy = new StoredBackup(destination, to.backupStorage, plan.backupName);
  await commit(plan, receipts, { backup, copy, holder: execution.id }, context);
  await releaseClaim(copy, execution.id);
  await unmarkReader(context, (await readHeld(context, layout))?.readerKey);
  return {
    outcome: plan.alreadyThere ? "already-there" : "transferred",
    backupName: plan.backupName,
    collections: plan.totals.collections,
    segments: plan.totals.segments,
    ...totalsOf(receipts),
    warnings: plan.warnings,
  };
}

async function commit(
  plan: TransferPlan,
  receipts: readonly CopyReceipt[],
  { backup, copy, holder }: { backup: StoredBackup; copy: StoredBackup; holder: string },
  context: StepContext,
): Promise<void> {
  const claim = { key: copy.layout.claim, holder };
  const present = await copy.commitRecord();
  const isThisBackup =
    present !== undefined && manifestFileOf(copy.layout.meta.full_meta, present).sha256 === plan.fullMetaSha256;
  // An earlier run of this step has given the claim back: everything is done.
  if (isThisBackup && !(await hasClaim(copy.store, claim))) return;
  if (present !== undefined && !isThisBackup) throw copy.writtenByOthers();
  const fullMeta = await readUnchanged(plan, backup);
  const logs = receipts.flatMap(({ segments }) =>
    segments.flatMap(({ insertLogs, deltaLogs }) => [...insertLogs, ...deltaLogs]),
  );
  await verifyCopies(backup, fullMeta, logs);
  await confirmClaim(copy.store, claim, context);
  await removeStrayCopies(copy, new Set(logs.map(({ key }) => key)), context);
  await copyBackupFiles(backup, copy, { repair: plan.alreadyThere });
  await confirmClaim(copy.store, claim, context);
  await copy.commit(fullMeta);
}

/** The commit record, if it is still the one whose segments were copied. */
async function readUnchanged(plan: TransferPlan, backup: StoredBackup): Promise<string> {
  const { full_meta } = backup.layout.meta;
  const text = await backup.commitRecord();
  if (text !== undefined && manifestFileOf(full_meta, text).sha256 === plan.fullMetaSha256) return text;
  throw new PipelineError(
    "CopyMismatch",
    `backup ${plan.backupName} in ${backup.store.label} was ${text === undefined ? "deleted" : "replaced"} while it was transferred; start the transfer again once it is complete`,
    { details: { key: full_meta } },
  );
}
