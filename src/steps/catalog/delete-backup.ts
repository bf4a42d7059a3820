import { PipelineError } from "../../core/execution/errors.ts";
import { backupLayout } from "../../core/format/layout.ts";
import { checkBackupName } from "../../core/milvus/names.ts";
import type { ObjectStore } from "../../ports/object-store.ts";

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
  const layout = backupLayout(rootPath, name);
  const { complete } = await checkDeletable(store, rootPath, name, options);
  await store.deleteKeys([layout.meta.full_meta]);
  const rest = await store.deletePrefix(layout.root);
  return { objects: rest + (complete ? 1 : 0) };
}

/** Throws where there is nothing that deleteBackup would delete: InvalidInput or BackupNotFound. */
export async function checkDeletable(
  store: ObjectStore,
  rootPath: string,
  name: string,
  options: DeleteOptions = {},
): Promise<{ complete: boolean }> {
  const layout = backupLayout(rootPath, checkBackupName(name));
  if ((await store.head(layout.meta.full_meta)) !== undefined) return { complete: true };
  const leftovers = (await store.listDirectories(layout.root)).length > 0;
  if (leftovers && options.incomplete) return { complete: false };
  const hint = leftovers
    ? "what lies there has no full_meta.json: it is being written or its writing failed; delete it with --incomplete"
    : "milvus-backup list shows what is there";
  throw new PipelineError(
    "BackupNotFound",
    `there is no backup ${name} in ${store.label} under ${layout.root} (${hint})`,
    {
      details: { backupName: name },
    },
  );
}
