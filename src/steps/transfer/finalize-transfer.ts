import { type CopyReceipt, totalsOf } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { FinalizeTransferResult, TransferStepRequest } from "../../core/execution/messages.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { type BackupLayout, backupLayout } from "../../core/format/layout.ts";
import { manifestFileOf } from "../../core/format/manifest.ts";
import type { TransferPlan } from "../../core/plan/transfer.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { readMeta } from "../catalog/get-backup.ts";
import { backupLeaseSubject } from "../shared/backup-lease.ts";
import { readBackupReceipts } from "../shared/backup-receipts.ts";
import { releaseLease } from "../shared/lease.ts";
import { removeStrayCopies } from "../shared/remove-stray-copies.ts";
import { readWorkJson } from "../shared/work-files.ts";
import { copyBackupFiles } from "./copy-backup-files.ts";
import { verifyCopies } from "./verify-copies.ts";

/**
 * Last step of a transfer: reads the receipts, holds them against the backup's own checksums, then copies its metas and manifest
 * byte for byte, and `full_meta.json` as the very last object: the backup exists at the destination from then on.
 * Throws CorruptBackup where the source does not hold what its metas say, CopyMismatch where it changed or a receipt is missing,
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
  const receipts = await readBackupReceipts(context, layout, plan.backupName, consequence);
  const backups: Backups = {
    source,
    sourceLayout: backupLayout(from.backupStorage.rootPath, plan.backupName),
    destination,
    layout: backupLayout(to.backupStorage.rootPath, plan.backupName),
  };
  await commit(plan, receipts, backups, context);
  await releaseLease(context, "backup", backupLeaseSubject(destination, to, plan.backupName), execution.id);
  return {
    outcome: plan.alreadyThere ? "already-there" : "transferred",
    backupName: plan.backupName,
    collections: plan.totals.collections,
    segments: plan.totals.segments,
    ...totalsOf(receipts),
    warnings: plan.warnings,
  };
}

interface Backups {
  readonly source: ObjectStore;
  readonly sourceLayout: BackupLayout;
  readonly destination: ObjectStore;
  readonly layout: BackupLayout;
}

async function commit(
  plan: TransferPlan,
  receipts: readonly CopyReceipt[],
  backups: Backups,
  context: StepContext,
): Promise<void> {
  const { source, sourceLayout, destination, layout } = backups;
  const fullMeta = await readUnchanged(plan, source, sourceLayout);
  const logs = receipts.flatMap(({ segments }) =>
    segments.flatMap(({ insertLogs, deltaLogs }) => [...insertLogs, ...deltaLogs]),
  );
  await verifyCopies(source, sourceLayout, fullMeta, logs);
  await removeStrayCopies(destination, layout, plan, new Set(logs.map(({ key }) => key)), context);
  await copyBackupFiles(source, sourceLayout, destination, layout);
  const written = await destination.putText(layout.meta.full_meta, fullMeta, { ifAbsent: true });
  // Where the backup was there before, and in a step that runs twice, it is the same text.
  if (!written && (await destination.getText(layout.meta.full_meta)) !== fullMeta) {
    throw new PipelineError(
      "BackupExists",
      `somebody else wrote backup ${plan.backupName} in ${destination.label} while this one was copied; choose another name`,
    );
  }
}

/** The commit record, if it is still the one whose segments were copied. */
async function readUnchanged(plan: TransferPlan, source: ObjectStore, layout: BackupLayout): Promise<string> {
  const text = await readMeta(source, layout.meta.full_meta);
  if (text !== undefined && manifestFileOf(layout.meta.full_meta, text).sha256 === plan.fullMetaSha256) return text;
  throw new PipelineError(
    "CopyMismatch",
    `backup ${plan.backupName} in ${source.label} was ${text === undefined ? "deleted" : "replaced"} while it was transferred; start the transfer again once it is complete`,
    { details: { key: layout.meta.full_meta } },
  );
}
