import { PipelineError } from "../../core/execution/errors.ts";
import type { BackupOutline } from "../../core/format/outline.ts";
import type { Instants, StoredBackup } from "./stored-backup.ts";

/**
 * Nothing tells that the instants of the manifest are whole, but the metas, which have them too.
 * @throws CorruptBackup
 */
export function checkInstants({ layout }: StoredBackup, backup: BackupOutline, instants: Instants): void {
  for (const { collection_id, collection_name, backup_timestamp } of backup.collection_backups) {
    const cut = instants.get(collection_id.toString());
    if (cut === undefined || BigInt(cut.instant.timestamp) === backup_timestamp) continue;
    throw new PipelineError(
      "CorruptBackup",
      `${layout.manifest} has the instant ${cut.instant.timestamp} of ${collection_name}, and the metas ${backup_timestamp}: it was changed`,
      { details: { file: layout.manifest } },
    );
  }
}
