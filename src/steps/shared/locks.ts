import type { Environment } from "../../core/environment/environment.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { ExecutionRef } from "../../core/execution/messages.ts";
import {
  type BucketLock,
  covers,
  describeLock,
  isLockedAt,
  type LockSettings,
  lockFrom,
  type ObjectLock,
} from "../../core/execution/object-lock.ts";
import { settleEach } from "../../core/execution/settle.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { readableManifest } from "./made-by.ts";
import type { StoredBackup } from "./stored-backup.ts";

/**
 * Locks on what lies below a backup root. A bucket with Object Lock has versions: a deletion hides what is locked, and the store refuses only
 * to remove the version. So whoever deletes here looks at the lock before, and leaves alone what is locked.
 */

/** Objects whose locks are asked for at once: one small request each. */
const lookConcurrency = 32;

/**
 * How everything is to be locked that an execution writes: as its input says, or the environment that gets it; undefined for not at all.
 * @throws InvalidInput where the bucket cannot lock, or the time is over already; and what the store throws
 */
export async function chosenLock(
  store: ObjectStore,
  given: { readonly lock?: LockSettings | undefined },
  { backupStorage }: Environment,
  { startTime }: Pick<ExecutionRef, "startTime">,
  { clock }: Pick<StepContext, "clock">,
): Promise<ObjectLock | undefined> {
  const settings = given.lock ?? backupStorage.objectLock;
  if (settings === undefined) return undefined;
  const key = given.lock === undefined ? "minio.backupObjectLock" : "lock";
  const { state } = await store.bucketLock();
  if (state !== "on") throw cannotLock(store, key, state);
  const lock = lockFrom(settings, startTime);
  checkAhead(lock, clock.now());
  return lock;
}

/** How copies to the backup storage of an environment are kept. */
export function keepingOf({ backupStorage }: Environment, lock: ObjectLock | undefined) {
  const { storageClass } = backupStorage;
  return { ...(lock && { lock }), ...(storageClass && { storageClass }) };
}

/** @throws InvalidInput where a lock would be over before it is set: no store takes it */
export function checkAhead(lock: ObjectLock | undefined, now: Date): void {
  if (lock === undefined || isLockedAt(lock, now)) return;
  throw new PipelineError(
    "InvalidInput",
    `what is written was to be ${describeLock(lock)}, which is over: the time counts from the start of the execution, so give a longer one`,
    { details: { key: "lock" } },
  );
}

function cannotLock(store: ObjectStore, key: string, state: BucketLock["state"]): PipelineError {
  const how =
    state === "unsupported"
      ? `${store.label} is of a kind whose locks are not supported: minio, s3 and aws lock objects`
      : `${store.label} has no Object Lock: it is turned on when a bucket is made (mc mb --with-lock, aws s3api create-bucket ` +
        "--object-lock-enabled-for-bucket), with AWS also later (aws s3api put-object-lock-configuration)";
  return new PipelineError(
    "InvalidInput",
    `${key} asks for a lock, and ${how}. Nothing was copied: leave ${key} out, or keep the backups in a bucket that locks`,
    { details: { key } },
  );
}

/** A receipt that does not say that everything was locked: the backup is not committed. */
export function notLocked(batch: string, lock: ObjectLock): PipelineError {
  return new PipelineError(
    "CopyMismatch",
    `the receipt of batch ${batch} does not say that everything of it is ${describeLock(lock)}. Start the same command again: what is copied is kept`,
  );
}

/** @throws StoreFailed where an object that was written with a lock does not have it: some stores take what they do not know, and drop it */
export async function checkLocked(store: ObjectStore, key: string, lock: ObjectLock): Promise<void> {
  const held = await store.lockOf(key);
  if (covers(held, lock)) return;
  throw new PipelineError(
    "StoreFailed",
    `${key} in ${store.label} was to be ${describeLock(lock)}, and is ${held ? describeLock(held) : "not locked"}: this store does not keep the locks that ` +
      "it is given, so leave lock (and minio.backupObjectLock) out there",
    { details: { key } },
  );
}

/**
 * How a complete backup is locked, as the store says of its commit record, which is the last object that is written; where that may not be asked, as
 * its manifest says.
 * @returns undefined where it is not locked, or not any more
 */
export async function lockOfBackup(stored: StoredBackup, now: Date): Promise<ObjectLock | undefined> {
  return (await holdsLocks(stored.store)) === false ? undefined : commitLock(stored, now);
}

/** The same, in a bucket that is known to hold locks. */
export async function commitLock(stored: StoredBackup, now: Date): Promise<ObjectLock | undefined> {
  try {
    const lock = await stored.store.lockOf(stored.layout.meta.full_meta);
    return isLockedAt(lock, now) ? lock : undefined;
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    if (error.name === "ObjectNotFound") return undefined;
    if (error.name !== "StoreAccessDenied") throw error;
    const lock = (await readableManifest(stored))?.lock;
    return isLockedAt(lock, now) ? lock : undefined;
  }
}

/** Whether objects of a bucket may be locked; undefined where nobody may ask. What a store does not understand is no lock of it. */
async function holdsLocks(store: ObjectStore): Promise<boolean | undefined> {
  try {
    return (await store.bucketLock()).state === "on";
  } catch (error) {
    if (error instanceof PipelineError && error.name === "StoreAccessDenied") return undefined;
    if (error instanceof PipelineError && error.name === "StoreFailed") return false;
    throw error;
  }
}

/** The same; false where nobody may ask. */
export async function mayHoldLocks(store: ObjectStore): Promise<boolean> {
  return (await holdsLocks(store)) ?? false;
}

/** How objects are locked, in their order: undefined for those that are not, or not any more, or are gone. */
export async function locksOf(
  store: ObjectStore,
  keys: readonly string[],
  now: Date,
): Promise<(ObjectLock | undefined)[]> {
  return settleEach(keys, lookConcurrency, async (key) => {
    try {
      const lock = await store.lockOf(key);
      return isLockedAt(lock, now) ? lock : undefined;
    } catch (error) {
      if (error instanceof PipelineError && error.name === "ObjectNotFound") return undefined;
      throw error;
    }
  });
}

/** So many are looked at before the next page of a listing. */
const keysPerLook = 1_000;

/**
 * Looks at everything below a backup's root, claims aside, as at what a backup left that failed.
 * @returns the longest lock of the first thousand that has one; undefined where nothing is locked
 */
export async function lockOfLeftovers(stored: StoredBackup, now: Date): Promise<ObjectLock | undefined> {
  const { store, layout } = stored;
  if (!(await mayHoldLocks(store))) return undefined;
  let keys: string[] = [];
  const longest = async () => {
    const locks = (await locksOf(store, keys, now)).filter((lock) => lock !== undefined);
    keys = [];
    return locks.toSorted((a, b) => Date.parse(b.until) - Date.parse(a.until))[0];
  };
  for await (const { key } of store.list(layout.root)) {
    if (key === layout.claim) continue;
    keys.push(key);
    if (keys.length < keysPerLook) continue;
    const found = await longest();
    if (found) return found;
  }
  return longest();
}

/** A backup that stays because of its lock. */
export function backupLocked({ name, place }: StoredBackup, lock: ObjectLock, isComplete: boolean): PipelineError {
  const what = isComplete ? `backup ${name} in ${place}` : `what is left of backup ${name} in ${place}`;
  return new PipelineError(
    "BackupLocked",
    `${what} is ${describeLock(lock)}: nothing was deleted. ` +
      "A deletion would hide it without freeing anything: the bucket keeps locked versions. Delete it after that time (docs/locked-backups.md)",
    { details: { backupName: name, until: lock.until, mode: lock.mode } },
  );
}
