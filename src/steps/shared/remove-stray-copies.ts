import type { BackupLayout } from "../../core/format/layout.ts";
import { parseLogKey } from "../../core/format/layout.ts";
import type { BackupPlan } from "../../core/plan/backup.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { StepContext } from "../../ports/step-context.ts";

/**
 * Deletes what earlier attempts copied and this backup does not hold: segments that compaction replaced, collections that an
 * earlier run selected. Old readers import whole directories, so nothing that is not in the meta may lie there.
 */
export async function removeStrayCopies(
  store: ObjectStore,
  layout: BackupLayout,
  plan: Pick<BackupPlan, "backupName">,
  copied: ReadonlySet<string>,
  context: StepContext,
): Promise<void> {
  const stray: string[] = [];
  for await (const { key } of store.list(layout.binlogs)) {
    if (!copied.has(key)) stray.push(key);
  }
  if (stray.length === 0) return;
  await store.deleteKeys(stray);
  const segments = new Set(stray.map((key) => parseLogKey(key)?.segmentId));
  context.log.info("removed copies that do not belong to the backup", {
    backupName: plan.backupName,
    objects: stray.length,
    segments: segments.size,
  });
}
