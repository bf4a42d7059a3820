import { parseLogKey } from "../../core/format/layout.ts";
import { segmentsOf } from "../../core/format/meta.ts";
import type { CollectionOutline, SegmentBrief } from "../../core/format/outline.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";

/**
 * The collections of an incremental backup that Milvus cannot read where they lie, as beside a segment's logs there are some that only
 * another backup names: Milvus reads whole directories.
 */
export async function crowdedCollections(
  stored: StoredBackup,
  collections: readonly CollectionOutline[],
): Promise<ReadonlySet<string>> {
  const crowded = new Set<string>();
  for (const collection of collections) {
    const id = collection.collection_id.toString();
    const counts = new Map<string, number>();
    for await (const { key } of stored.listShared([id])) {
      const segmentId = parseLogKey(key)?.segmentId ?? "";
      counts.set(segmentId, (counts.get(segmentId) ?? 0) + 1);
    }
    const isCrowded = ({ segment_id, insertLogs }: SegmentBrief) =>
      (counts.get(segment_id.toString()) ?? 0) > insertLogs;
    if (segmentsOf(collection).some(isCrowded)) crowded.add(id);
  }
  return crowded;
}
