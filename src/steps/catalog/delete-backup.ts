import { checkBackupName } from "../../core/milvus/names.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { StoredBackup } from "../shared/stored-backup.ts";

export interface DeleteOptions {
  /** Also deletes what a backup without `full_meta.json` left behind; its caller knows that nobody is writing it. */
  readonly incomplete?: boolean;
}

/**
 * Deletes a whole backup: its commit record first, so that no reader takes what is left for a backup, then the rest.
 * @returns how many objects were deleted
 * @throws InvalidInput, BackupNotFound, and what the store throws
 */
export async function deleteBackup(
  store: ObjectStore,
  rootPath: string,
  name: string,
  options: DeleteOptions = {},
): Promise<{ objects: number }> {
  await checkDeletable(store, rootPath, name, options);
  return new StoredBackup(store, { rootPath }, name).remove();
}

/** @throws InvalidInput or BackupNotFound where there is nothing that deleteBackup would delete */
export async function checkDeletable(
  store: ObjectStore,
  rootPath: string,
  name: string,
  options: DeleteOptions = {},
): Promise<void> {
  const stored = new StoredBackup(store, { rootPath }, checkBackupName(name));
  if ((await stored.committed()) !== undefined) return;
  const leftovers = await stored.hasLeftovers();
  if (leftovers && options.incomplete) return;
  throw stored.notFound(
    leftovers
      ? "what lies there has no full_meta.json: it is being written or its writing failed; delete it with --incomplete"
      : "milvus-backup list shows what is there",
  );
}
