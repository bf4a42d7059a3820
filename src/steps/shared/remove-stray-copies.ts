import { parseLogKey } from "../../core/format/layout.ts";
import type { StepContext } from "../../ports/step-context.ts";
import type { StoredBackup } from "./stored-backup.ts";

/**
 * Deletes what earlier attempts copied and this backup does not hold: segments that compaction replaced, collections that an
 * earlier run selected. Old readers import whole directories, so nothing that is not in the meta may lie there.
 */
export async function removeStrayCopies(
  stored: StoredBackup,
  copied: ReadonlySet<string>,
  context: Pick<StepContext, "log">,
): Promise<void> {
  const stray: string[] = [];
  for await (const { key } of stored.listLogs()) {
    if (!copied.has(key)) stray.push(key);
  }
  if (stray.length === 0) return;
  await stored.store.deleteKeys(stray);
  const segments = new Set(stray.map((key) => parseLogKey(key)?.segmentId));
  context.log.info("removed copies that do not belong to the backup", {
    backupName: stored.name,
    objects: stray.length,
    segments: segments.size,
  });
}
