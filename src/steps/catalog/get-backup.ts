import { checkBackupName } from "../../core/milvus/names.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { type FoundBackup, StoredBackup } from "../shared/stored-backup.ts";

/**
 * Reads the metas of one backup: `full_meta.json`, or without it the four level files with a warning.
 * @throws InvalidInput, BackupNotFound, CorruptBackup, and what the store throws
 */
export async function getBackup(store: ObjectStore, rootPath: string, name: string): Promise<FoundBackup> {
  return new StoredBackup(store, { rootPath }, checkBackupName(name)).readMetas();
}
