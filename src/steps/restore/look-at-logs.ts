import { settleEach } from "../../core/execution/settle.ts";
import { type CollectionWith, segmentsOf } from "../../core/format/meta.ts";
import type { SegmentBrief } from "../../core/format/outline.ts";
import type { CutAt } from "../../core/milvus/instant.ts";
import { segmentPath } from "../../core/plan/segment-copies.ts";
import { deletesIn, type KnownRows, rowsUpTo } from "../../core/plan/segment-rows.ts";
import { readLogHeads, timestampLogs } from "../shared/log-heads.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";

const lookConcurrency = 64;

/** So many logs are looked at in a restore: seconds, whatever it holds. Of the others their number and size have to do. */
const mostLogs = 4_000;

/** Of one segment, where they are looked at one after another. */
const mostLogsOfSegment = 200;

/** A segment of which the metas alone do not tell how many rows an import must bring. */
interface Unclear {
  readonly segment: SegmentBrief;
  readonly cut?: CutAt | undefined;
  readonly mayBeLater: boolean;
  /** Logs to look at, about. */
  readonly logs: number;
}

/**
 * Looks at the first bytes of the logs of segments whose rows may be later than the instant of their collection, or deleted: the largest
 * ones first, as many as a few seconds allow. By segment ID.
 * @throws what the store throws
 */
export async function lookAtLogs(
  stored: StoredBackup,
  collections: readonly CollectionWith<SegmentBrief>[],
  cutOf: (collectionId: string) => CutAt | undefined,
): Promise<ReadonlyMap<string, KnownRows>> {
  const unclear = collections.flatMap((collection) => {
    const fields = collection.schema.fields.length + 2;
    const cut = cutOf(collection.collection_id.toString());
    return segmentsOf(collection).flatMap((segment) => unclearOf(segment, cut, fields));
  });
  let left = mostLogs;
  const chosen = unclear
    .toSorted((a, b) => Number(b.segment.num_of_rows - a.segment.num_of_rows))
    .filter(({ logs }) => {
      if (logs > left) return false;
      left -= logs;
      return true;
    });
  const known = await settleEach(chosen, lookConcurrency, (one) => look(stored, one));
  return new Map(chosen.map(({ segment }, index) => [segment.segment_id.toString(), known[index] ?? {}]));
}

function unclearOf(segment: SegmentBrief, cut: CutAt | undefined, fields: number): Unclear[] {
  // storage v2 has other files
  if (segment.is_l0 || segment.storage_version > 0n || segment.num_of_rows === 0n) return [];
  const mayBeLater = cut?.laterRows.has(segment.segment_id.toString()) ?? false;
  if (!mayBeLater && segment.deltaLogs === 0) return [];
  const insertLogs = mayBeLater ? Math.ceil(segment.insertLogs / fields) : 0;
  const logs = segment.deltaLogs + insertLogs;
  return logs > mostLogsOfSegment ? [] : [{ segment, cut, mayBeLater, logs }];
}

async function look(stored: StoredBackup, { segment, cut, mayBeLater }: Unclear): Promise<KnownRows> {
  const path = segmentPath(segment);
  const inserts =
    cut && mayBeLater ? await readLogHeads(stored.store, timestampLogs(stored.layout.insertLogs(path))) : [];
  const upToInstant = cut && mayBeLater ? rowsUpTo(cut.instant, segment.num_of_rows, inserts) : undefined;
  const deltas = segment.deltaLogs > 0 ? await readLogHeads(stored.store, stored.layout.deltaLogs(path)) : [];
  // of logs that are missing nothing is known: whoever verifies the segment finds it
  const deletes = deltas.length > 0 && deltas.length >= segment.deltaLogs ? deletesIn(deltas) : undefined;
  return { ...(upToInstant !== undefined && { upToInstant }), ...(deletes !== undefined && { deletes }) };
}
