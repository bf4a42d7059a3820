import { checkBackupName } from "../../core/milvus/names.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { type FoundBackup, type Instants, findBackup } from "../shared/stored-backup.ts";
import type { FoundOutline } from "../shared/streamed-metas.ts";

/**
 * Reads what is in one backup, without the logs of its segments: `full_meta.json`, or without it the four level files with a warning; and
 * at which instants it was cut.
 * @throws InvalidInput, BackupNotFound, CorruptBackup, and what the store throws
 */
export async function outlineBackup(
  store: ObjectStore,
  rootPath: string,
  name: string,
): Promise<FoundOutline & { instants: Instants }> {
  const stored = await findBackup(store, { rootPath }, checkBackupName(name));
  const found = await (await stored.streamMetas()).outline();
  return { ...found, instants: await stored.readInstants(found.backup.id) };
}

/**
 * Reads the whole metas of one backup, down to every log: `full_meta.json`, or without it the four level files with a warning.
 * @throws InvalidInput, BackupNotFound, CorruptBackup, and what the store throws
 */
export async function getBackup(store: ObjectStore, rootPath: string, name: string): Promise<FoundBackup> {
  return (await findBackup(store, { rootPath }, checkBackupName(name))).readMetas();
}
