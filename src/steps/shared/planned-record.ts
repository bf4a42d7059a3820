import { PipelineError } from "../../core/execution/errors.ts";
import type { ObjectSummary } from "../../ports/object-store.ts";
import type { StoredBackup } from "./stored-backup.ts";

/** The file that says that the backup is there: the commit record, or of an old one without it the list of its segments. */
export async function recordOf(stored: StoredBackup): Promise<ObjectSummary> {
  const record = (await stored.committed()) ?? (await stored.store.head(stored.layout.meta.segment_meta));
  if (record === undefined) throw stored.notFound("it was deleted just now");
  return record;
}

/**
 * Looks whether that file is still the one that was planned by.
 * @param words of what was done with the backup: `while it was verified`, `nothing is said of it`, `verify`
 * @throws BackupNotFound, CopyMismatch where what lies there is not what was planned
 */
export async function checkRecord(
  stored: StoredBackup,
  record: Pick<ObjectSummary, "key" | "etag">,
  { meanwhile, result, again }: { readonly meanwhile: string; readonly result: string; readonly again: string },
): Promise<void> {
  const found = await stored.store.head(record.key);
  if (found?.etag === record.etag) return;
  const what = `backup ${stored.name} in ${stored.place}`;
  if (found === undefined) {
    throw new PipelineError("BackupNotFound", `${what} was deleted ${meanwhile}: ${result}`, {
      details: { backupName: stored.name },
    });
  }
  throw new PipelineError(
    "CopyMismatch",
    `${what} was replaced ${meanwhile} (${record.key}); ${again} it again once nobody writes there`,
    { details: { key: record.key } },
  );
}
