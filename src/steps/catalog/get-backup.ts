import { PipelineError } from "../../core/execution/errors.ts";
import { backupLayout, type MetaFileName } from "../../core/format/layout.ts";
import type { BackupInfo } from "../../core/format/meta.ts";
import { readBackupMeta } from "../../core/format/meta-files.ts";
import { checkBackupName } from "../../core/milvus/names.ts";
import type { ObjectStore } from "../../ports/object-store.ts";

/** A backup as its metas tell it. */
export interface FoundBackup {
  readonly backup: BackupInfo;
  /** false: `full_meta.json` is missing, and what is shown was put together from the level files. */
  readonly complete: boolean;
  readonly warnings: readonly string[];
}

const levelFileNames = ["backup_meta", "collection_meta", "partition_meta", "segment_meta"] as const;

/**
 * Reads the metas of one backup: `full_meta.json`, or without it the four level files with a warning. Throws InvalidInput,
 * BackupNotFound, CorruptBackup, and what the store throws.
 */
export async function getBackup(store: ObjectStore, rootPath: string, name: string): Promise<FoundBackup> {
  const layout = backupLayout(rootPath, checkBackupName(name));
  const full = await readMeta(store, layout.meta.full_meta);
  if (full !== undefined) return { ...readBackupMeta({ full_meta: full }), complete: true };

  const texts: Partial<Record<MetaFileName, string>> = {};
  for (const file of levelFileNames) {
    const text = await readMeta(store, layout.meta[file]);
    if (text !== undefined) texts[file] = text;
  }
  if (Object.keys(texts).length === 0) {
    throw new PipelineError(
      "BackupNotFound",
      `there is no backup ${name} in ${store.label} under ${layout.root} (milvus-backup list shows what is there)`,
      { details: { backupName: name } },
    );
  }
  return { ...readBackupMeta(texts), complete: false };
}

/** The text of a meta file; undefined where it is not there. */
export async function readMeta(store: ObjectStore, key: string): Promise<string | undefined> {
  try {
    return await store.getText(key);
  } catch (error) {
    if (error instanceof PipelineError && error.name === "ObjectNotFound") return undefined;
    throw error;
  }
}
