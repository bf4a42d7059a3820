import { PipelineError } from "../../core/execution/errors.ts";
import type { MadeBySchedule } from "../../core/format/manifest.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { checkMayDelete, checkNoStrangers, claimOf, takeDeletionClaim } from "../shared/backup-claim.ts";
import { backupLocked, lockOfBackup, lockOfLeftovers } from "../shared/locks.ts";
import { checkNotRead, type ReadPlace } from "../shared/readers.ts";
import type { RemovedBackup, StoredBackup } from "../shared/stored-backup.ts";

interface DeleteRequest {
  /** Where it lies, as its environment says it. */
  readonly place: ReadPlace;
  /** Names this very deletion: `retention of ...`, `delete on ...`. */
  readonly holder: string;
  /** An ARN of the deployment that asks for it. */
  readonly deployment: string;
  /** The schedule whose backup it is: a deletion that is broken off is then found by its retention. */
  readonly schedule?: MadeBySchedule | undefined;
  /** Also deletes what a backup without `full_meta.json` left behind. */
  readonly incomplete?: boolean;
  /** Nothing else than that: what is complete by now stays. */
  readonly neverComplete?: boolean;
  /** Goes on with a deletion of it that was broken off. */
  readonly goesOn?: boolean;
  /** It stops then, and leaves the rest to one that goes on; when it is done where absent. */
  readonly until?: Date | undefined;
}

/** What a deletion asks: without `work` nobody can tell who reads. */
export type DeleteContext = Pick<StepContext, "executions" | "clock" | "log"> & {
  readonly work: ObjectStore | undefined;
};

/**
 * Deletes a whole backup: its commit record first, so that no reader takes what is left for a backup, then the rest. Before, it takes
 * the claim and looks for readers: whoever starts to read looks for the claim.
 * @returns how many objects were deleted, and whether some are left
 * @throws BackupNotFound, BackupLocked, ForeignObjects, AlreadyRunning (it is being written), BackupInUse, ClaimLost, and what the store throws
 */
export async function deleteBackup(
  stored: StoredBackup,
  request: DeleteRequest,
  context: DeleteContext,
): Promise<RemovedBackup> {
  const { until } = request;
  await checkDeletable(stored, request, context);
  const claim = await takeDeletionClaim(stored, request, context);
  try {
    // Again, now that nobody starts to write or to read it.
    await checkContent(stored, request, context);
    await checkReaders(stored, request, context);
  } catch (error) {
    await claim.giveBack();
    throw error;
  }
  const removed = await stored.remove(claim.confirm, () => until === undefined || context.clock.now() < until);
  // as it was: whoever wants to read it is not kept from that
  if (removed.left && (await stored.committed()) !== undefined) await claim.giveBack();
  return removed;
}

/** @throws what deleteBackup would throw before it deletes anything */
export async function checkDeletable(
  stored: StoredBackup,
  request: DeleteRequest,
  context: DeleteContext,
): Promise<void> {
  await checkContent(stored, request, context);
  await checkMayDelete(stored, await claimOf(stored), request.deployment, context);
  await checkReaders(stored, request, context);
}

async function checkContent(
  stored: StoredBackup,
  { incomplete, neverComplete, goesOn }: DeleteRequest,
  context: DeleteContext,
): Promise<void> {
  const complete = (await stored.committed()) !== undefined;
  if (complete && neverComplete) {
    throw new PipelineError("BackupInUse", `backup ${stored.name} in ${stored.place} is complete by now: it stays`);
  }
  const leftovers = complete || (await stored.hasLeftovers());
  if (!leftovers) throw stored.notFound("milvus-backup list shows what is there");
  await checkNoStrangers(
    stored,
    "Nothing was deleted: see whether name and backupRootPath are what you mean, or move those away first",
  );
  // Who began it has looked at all locks before; each object's again would be all that there is time for.
  if (!complete && goesOn && (await claimOf(stored))?.state === "deleting") return;
  if (complete || incomplete) return checkNotLocked(stored, complete, context);
  throw stored.notFound(
    "what lies there has no full_meta.json: it is being written or its writing failed; delete it with --incomplete",
  );
}

/** The store itself refuses no deletion here: it would hide what is locked. */
async function checkNotLocked(stored: StoredBackup, complete: boolean, { clock }: DeleteContext): Promise<void> {
  const now = clock.now();
  // a plain one and one a Milvus may lie in one folder, and all of it goes
  for (const one of complete ? [stored.asPlain, ...(await stored.incrementals())] : []) {
    const lock = await lockOfBackup(one, now);
    if (lock) throw backupLocked(stored, lock, true);
  }
  const left = complete ? undefined : await lockOfLeftovers(stored, now);
  if (left) throw backupLocked(stored, left, false);
}

async function checkReaders(stored: StoredBackup, { place }: DeleteRequest, context: DeleteContext): Promise<void> {
  if (context.work === undefined) return;
  await checkNotRead({ work: context.work, executions: context.executions }, stored, place);
}
