import { checkBackupName } from "../../core/milvus/names.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { type FoundBackup, type Instants, StoredBackup } from "../shared/stored-backup.ts";

/**
 * Reads the metas of one backup: `full_meta.json`, or without it the four level files with a warning; and at which instants it was cut.
 * @throws InvalidInput, BackupNotFound, CorruptBackup, and what the store throws
 */
export async function getBackup(
  store: ObjectStore,
  rootPath: string,
  name: string,
): Promise<FoundBackup & { instants: Instants }> {
  const stored = new StoredBackup(store, { rootPath }, checkBackupName(name));
  const found = await stored.readMetas();
  return { ...found, instants: await stored.readInstants(found.backup.id) };
}
