import type { Environment } from "../../core/environment/environment.ts";
import { sameBucket } from "../../core/environment/storage-identity.ts";
import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { PrepareTransferResult, TransferStepRequest } from "../../core/execution/messages.ts";
import { settleAll } from "../../core/execution/settle.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { manifestFileOf } from "../../core/format/manifest.ts";
import type { BackupInfo } from "../../core/format/meta.ts";
import { parseFullMeta } from "../../core/format/meta-files.ts";
import { checkBackupName } from "../../core/milvus/names.ts";
import { planTransfer, type TransferPlan } from "../../core/plan/transfer.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { writeHeld } from "../shared/held.ts";
import { acquireLease } from "../shared/lease.ts";
import { pinEnvironments, pinnedEnvironment } from "../shared/pinned-environments.ts";
import { StoredBackup } from "../shared/stored-backup.ts";
import { writeCopyBatches, writeWorkJson } from "../shared/work-files.ts";

/**
 * First step of a transfer: reads the backup's commit record, checks both stores, and writes the plan and the copy batches. Where
 * the destination holds this very backup already, its objects are only verified, and what is missing is copied again.
 * Throws InvalidInput, BackupNotFound, CorruptBackup, BackupExists, AlreadyRunning, EnvironmentChanged and what environments and stores throw.
 */
export async function prepareTransfer(
  request: TransferStepRequest,
  context: StepContext,
): Promise<PrepareTransferResult> {
  const { execution, input } = request;
  const backupName = checkBackupName(input.backupName);
  const layout = workLayout("transfer", execution.name);
  await pinEnvironments(context, layout, [input.from, input.to]);
  const [from, to] = await settleAll([
    pinnedEnvironment(context, layout, input.from),
    pinnedEnvironment(context, layout, input.to),
  ]);
  checkDistinct(from, to);
  const [source, destination] = await settleAll([
    context.openStore(pinnedStore(from, "backup")),
    context.openStore(pinnedStore(to, "backup")),
  ]);
  const stored = new StoredBackup(source, from.backupStorage, backupName);
  const copy = new StoredBackup(destination, to.backupStorage, backupName);
  // No more than the backup itself: a grant in another account may reach no further.
  await settleAll([source.checkAccess(stored.layout.root), destination.checkAccess(copy.layout.root)]);
  const { backup, text, warnings } = await readCommitted(stored);
  const alreadyThere = await holdsBackup(copy, text);
  const { leaseSubject } = copy;
  await writeHeld(context, layout, { leaseSubject });
  await acquireLease(context, "backup", leaseSubject, execution.id);

  const segments = planTransfer(backup, stored.layout, copy.layout);
  const plan: TransferPlan = {
    backupName,
    fullMetaSha256: manifestFileOf(stored.layout.meta.full_meta, text).sha256,
    alreadyThere,
    warnings,
    totals: {
      collections: backup.collection_backups.length,
      segments: segments.length,
      bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
    },
  };
  await writeWorkJson(context, layout.plan, plan);
  const copies = await writeCopyBatches(context, layout, 0, segments, {
    source: pinnedStore(from, "backup"),
    destination: pinnedStore(to, "backup"),
    checkLogCounts: false,
  });
  const outcome = alreadyThere ? "already-there" : "planned";
  context.log.info("transfer planned", { backupName, outcome, from: source.label, to: destination.label, ...copies });
  return { outcome, backupName, collections: plan.totals.collections, ...copies };
}

function checkDistinct(from: Environment, to: Environment): void {
  const onePlace =
    sameBucket(from.backupStorage, to.backupStorage) && from.backupStorage.rootPath === to.backupStorage.rootPath;
  if (!onePlace) return;
  const { bucket, rootPath } = to.backupStorage;
  throw new PipelineError(
    "InvalidInput",
    `environments ${from.name} and ${to.name} keep their backups in one place (${bucket}/${rootPath}): there is nothing to transfer, ${to.name} can restore the backup as it lies there`,
    { details: { key: "to" } },
  );
}

/** Only `full_meta.json` says that a backup is whole: without it nothing is transferred. */
async function readCommitted(
  stored: StoredBackup,
): Promise<{ backup: BackupInfo; text: string; warnings: readonly string[] }> {
  const text = await stored.commitRecord();
  if (text !== undefined) {
    const { value, warnings } = parseFullMeta(text);
    return { backup: value, text, warnings };
  }
  throw stored.notFound(
    (await stored.hasLeftovers())
      ? "what lies there has no full_meta.json: it is being written, or its writing failed; create it again first"
      : "milvus-backup list shows what is there",
  );
}

/** @throws BackupExists where the destination holds another backup of that name */
async function holdsBackup(copy: StoredBackup, text: string): Promise<boolean> {
  const present = await copy.commitRecord();
  if (present === undefined || present === text) return present !== undefined;
  throw new PipelineError(
    "BackupExists",
    `another backup ${copy.name}, with other content, exists in ${copy.place}; delete it there first, or create the backup under another name`,
    { details: { key: "backupName" } },
  );
}
