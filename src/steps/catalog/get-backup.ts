import type { ObjectLock } from "../../core/execution/object-lock.ts";
import type { MadeBySchedule, ManifestIndex } from "../../core/format/manifest.ts";
import type { DrillProof, VerificationProof } from "../../core/format/proof.ts";
import { checkBackupName } from "../../core/milvus/names.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { findBackup, storedBackups } from "../shared/find-backup.ts";
import { lockOfBackup } from "../shared/locks.ts";
import { readDrill, readVerification } from "../shared/proofs.ts";
import type { FoundBackup, Instants, StoredBackup } from "../shared/stored-backup.ts";
import type { FoundOutline } from "../shared/streamed-metas.ts";
import { ownBytesIfKnown } from "../shared/sweep-segments.ts";

/** One backup without its logs, with what lies beside its metas. */
interface OutlinedBackup extends FoundOutline {
  readonly instants: Instants;
  readonly incremental?: IncrementalBackup;
  readonly verified?: VerificationProof;
  readonly drilled?: DrillProof;
  /** Until when it is not deleted; absent where it is not locked, or nobody looked. */
  readonly lock?: ObjectLock;
  /** Which schedule made it; absent where none did, or nobody knows. */
  readonly schedule?: MadeBySchedule;
  /** ISO 8601: when it was begun, as our manifest has it; absent where there is none. */
  readonly begunAt?: string;
}

/**
 * Reads what is in one backup, without the logs of its segments: `full_meta.json`, or without it the four level files with a warning; and
 * at which instants it was cut and until when it is locked.
 * @param options.now the time; absent: its lock is not looked at
 * @throws InvalidInput, BackupNotFound, CorruptBackup, and what the store throws
 */
export async function outlineBackup(
  store: ObjectStore,
  rootPath: string,
  name: string,
  { now }: { readonly now?: Date } = {},
): Promise<OutlinedBackup> {
  const stored = await findBackup(store, { rootPath }, checkBackupName(name));
  const found = await (await stored.streamMetas()).outline();
  const manifest = await stored.readManifest();
  const incremental = manifest?.incremental && (await describeIncremental(stored, manifest.incremental, rootPath));
  const verified = await readVerification(stored);
  const drilled = await readDrill(stored);
  const own = manifest?.backupId === found.backup.id ? manifest : undefined;
  const lock = now && (await lockOfBackup(stored, now));
  return {
    ...found,
    instants: stored.instantsOf(manifest, found.backup.id),
    ...(incremental && { incremental }),
    ...(verified && { verified }),
    ...(drilled && { drilled }),
    ...(own?.schedule && { schedule: own.schedule }),
    ...(own && { begunAt: own.created }),
    ...(lock && { lock }),
  };
}

/** What is stored of an incremental backup. */
export interface IncrementalBackup {
  /** Objects and bytes that were not stored before it was made. */
  readonly newObjects: number;
  readonly newBytes: number;
  /** Bytes of logs that no other backup names by now, which deleting it would free; absent where they are too many to count. */
  readonly ownBytes?: number;
}

async function describeIncremental(
  { store, name, layout }: StoredBackup,
  { newObjects, newBytes }: NonNullable<ManifestIndex["incremental"]>,
  rootPath: string,
): Promise<IncrementalBackup> {
  const others = (await storedBackups(store, { rootPath })).filter(
    ({ layout: { source } }) => source === layout.source,
  );
  const own = (await ownBytesIfKnown(others)).get(name);
  return { newObjects, newBytes, ...(own !== undefined && { ownBytes: own }) };
}

/**
 * Reads the whole metas of one backup, down to every log: `full_meta.json`, or without it the four level files with a warning.
 * @throws InvalidInput, BackupNotFound, CorruptBackup, and what the store throws
 */
export async function getBackup(store: ObjectStore, rootPath: string, name: string): Promise<FoundBackup> {
  return (await findBackup(store, { rootPath }, checkBackupName(name))).readMetas();
}
