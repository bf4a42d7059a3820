import { type BackupReport, reportBackup } from "../../core/report/backup.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { outlineBackup } from "../catalog/get-backup.ts";
import { createdAtOf } from "../catalog/list-backups.ts";

/**
 * Reads one backup for its report.
 * @param place where it lies, for people: `bucket-b/backup/my_backup`
 * @throws InvalidInput, BackupNotFound, CorruptBackup, and what the store throws
 */
export async function readBackupReport(
  store: ObjectStore,
  { rootPath, name, location }: { readonly rootPath: string; readonly name: string; readonly location: string },
  now: Date,
): Promise<BackupReport> {
  const found = await outlineBackup(store, rootPath, name);
  return reportBackup({
    ...found,
    verification: found.verified,
    drill: found.drilled,
    createdAt: createdAtOf(found.backup),
    location,
    now,
  });
}
