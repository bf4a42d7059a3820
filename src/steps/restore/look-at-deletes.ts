import { primaryKeyOf, rowFields } from "../../core/binlog/row-fields.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { settleEach } from "../../core/execution/settle.ts";
import { type CollectionWith, segmentsOf } from "../../core/format/meta.ts";
import type { SegmentBrief } from "../../core/format/outline.ts";
import { type CutAt, hybridTimestamp, physicalMilliseconds } from "../../core/milvus/instant.ts";
import { segmentPath } from "../../core/plan/segment-copies.ts";
import { deletesPerByte } from "../../core/plan/segment-rows.ts";
import type { PayloadReader } from "../../ports/payload-reader.ts";
import { deletesIn } from "../rows/deletes.ts";
import { openLog } from "../rows/field-log.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";

/** Logs in memory at once: Milvus flushes L0 segments by the time they have a few megabytes. */
const logsAtOnce = 4;

/**
 * Bytes of logs, as they are stored: of one segment, where a log is in memory whole, and of a restore, of which the lines that 2.4 writes take minutes. What
 * has more is taken for one with deletes of later: its logs do the same beside the rows.
 */
const mostToRead = { ofSegment: 64 * 2 ** 20, bytes: 256 * 2 ** 20 } as const;

/** For backups whose logs are not to be believed yet. */
export const nothingToRead = { ofSegment: 0, bytes: 0 } as const;

/** Every delete counts where nobody knows an instant. */
const forever = 2n ** 64n;

/** A delete takes every row of its key: of one that was inserted more than once, several. So many are allowed for, as by the bytes of a delta log's lines. */
const rowsPerDelete = 4n;

/**
 * Reads which L0 segments are not to be imported by themselves: those with deletes from after the instant of their collection, which the heads of logs
 * of Milvus 2.4 and later do not tell, and those that nobody here can read, or that are too large.
 * @param options.all each of them, whatever it holds
 * @param options.payloads asked for where there is something to read
 * @param options.most bytes
 * @returns by segment ID, how many rows its deletes that are not later take at most
 * @throws what the store throws
 */
export async function lookAtDeletes(
  stored: StoredBackup,
  collections: readonly CollectionWith<SegmentBrief>[],
  cutOf: (collectionId: string) => CutAt | undefined,
  {
    all,
    payloads,
    most = mostToRead,
  }: {
    readonly all: boolean;
    readonly payloads: () => Promise<PayloadReader>;
    readonly most?: { readonly ofSegment: number; readonly bytes: number };
  },
): Promise<ReadonlyMap<string, bigint>> {
  const toRead = collections.flatMap((collection) => {
    const cut = cutOf(collection.collection_id.toString());
    const until = cut ? BigInt(cut.instant.timestamp) : forever;
    // what an import is cut at where it takes milliseconds
    const end = cut ? BigInt(hybridTimestamp(physicalMilliseconds(cut.instant.timestamp))) : forever;
    return mayBeApart(collection, cut, all).map((segment) => ({ segment, collection, until, end }));
  });
  if (toRead.length === 0) return new Map();
  const reader = await payloads();
  let left = most.bytes;
  const apart = await settleEach(toRead, logsAtOnce, async ({ segment, collection, until, end }) => {
    const id = segment.segment_id.toString();
    const unread = [[id, BigInt(segment.deltaBytes) * deletesPerByte] as const];
    left -= segment.deltaBytes;
    if (segment.deltaBytes > most.ofSegment || left < 0) return unread;
    try {
      const primaryKey = primaryKeyOf(rowFields(collection.schema));
      let [before, later] = [0n, 0n];
      for await (const { key } of stored.store.list(stored.layout.deltaLogs(segmentPath(segment)))) {
        for (const { timestamp } of deletesIn(await openLog(stored.store, key), primaryKey, reader)) {
          if (timestamp > end) later += 1n;
          // one of the instant's own millisecond counts where the end is hybrid
          if (timestamp <= until) before += 1n;
        }
      }
      return later > 0n || all ? [[id, before * rowsPerDelete] as const] : [];
    } catch (error) {
      if (!(error instanceof PipelineError) || error.name !== "CorruptBackup") throw error;
      return unread;
    }
  });
  return new Map(apart.flat());
}

/** The L0 segments of a collection that are read for it; with `all` none of them is imported by itself. */
export function mayBeApart(
  collection: CollectionWith<SegmentBrief>,
  cut: CutAt | undefined,
  all: boolean,
): SegmentBrief[] {
  if (cut === undefined && !all) return [];
  return segmentsOf(collection).filter(({ is_l0, deltaLogs }) => is_l0 && deltaLogs > 0);
}
