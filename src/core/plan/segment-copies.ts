import { type CopyPrefix, type CopySegment, type DeletesApart, isCopied } from "../execution/copy-plan.ts";
import type { BackupLayout, BackupSegmentPath } from "../format/layout.ts";
import type { SegmentBackup } from "../format/meta.ts";
import { deltaLogCount } from "../format/segment-logs.ts";

/** A segment to copy with the bytes its meta says it has; batches are cut by these. */
export interface SizedSegment {
  readonly segment: CopySegment;
  readonly bytes: number;
  /**
   * Where its logs are put together with those of others: all of one `into`, as many as `segments`, go into the same directory, but for those whose
   * deletes would meet rows of others where that must not be (`apart`).
   */
  readonly merge?: { readonly into: string; readonly segments: number; readonly apart?: DeletesApart };
  /** Where its rows are inserted: the number of what they are written down in, and the name of their partition. */
  readonly inserted?: { readonly as: number; readonly partition: string };
}

/**
 * The copy of one segment out of a backup, with what its meta says must be found there.
 * @param to where its logs go; without a destination (`""`) they are only verified
 */
export function copyOutOfBackup(
  segment: SegmentBackup,
  backup: BackupLayout,
  to: { readonly insert: string; readonly delta: string },
): SizedSegment {
  const path = segmentPath(segment);
  return {
    segment: {
      collectionId: path.collectionId,
      partitionId: path.partitionId,
      segmentId: path.segmentId,
      rows: segment.num_of_rows.toString(),
      isL0: segment.is_l0,
      prefixes: [
        ...(segment.is_l0 ? [] : [insertPrefix(segment, backup, to.insert)]),
        ...(deltaLogCount(segment) > 0 ? [deltaPrefix(segment, backup.deltaLogs(path), to.delta)] : []),
      ],
    },
    bytes: Number(segment.size),
  };
}

/** The same copy of the same objects, whatever they are by now; undefined where nothing is copied. */
export function withoutComparison({ segment, ...sized }: SizedSegment): SizedSegment | undefined {
  const prefixes = segment.prefixes.filter(isCopied).map(({ expect = [], ...prefix }) => {
    return { ...prefix, only: expect.map(({ path }) => path) };
  });
  return prefixes.length === 0 ? undefined : { segment: { ...segment, prefixes }, ...sized };
}

/** Where a segment lies in its backup. */
export function segmentPath(
  segment: Pick<SegmentBackup, "collection_id" | "partition_id" | "group_id" | "segment_id">,
): BackupSegmentPath {
  return {
    collectionId: segment.collection_id.toString(),
    partitionId: segment.partition_id.toString(),
    groupId: segment.group_id.toString(),
    segmentId: segment.segment_id.toString(),
  };
}

function insertPrefix(segment: SegmentBackup, backup: BackupLayout, to: string): CopyPrefix {
  const from = backup.insertLogs(segmentPath(segment));
  const expect = segment.binlogs.flatMap(({ fieldID, binlogs }) =>
    binlogs.map((log) => ({ path: `${fieldID}/${logName(log)}`, size: Number(log.log_size) })),
  );
  // Another backup may name logs beside these: they are copied by name, and stand in the way where Milvus would read them in place.
  const only = backup.shared && to !== "" ? { only: expect.map(({ path }) => path) } : {};
  return { kind: "insert", from, to, expect, ...only };
}

function deltaPrefix(segment: SegmentBackup, from: string, to: string): CopyPrefix {
  const expect = segment.deltalogs.flatMap(({ binlogs }) =>
    binlogs.map((log) => ({ path: logName(log), size: Number(log.log_size) })),
  );
  return { kind: "delta", from, to, expect };
}

/** Logs of a field in the order of their rows is the order of their IDs (Milvus's `newCompositeRecordReader`). */
export function compareLogNames(one: string, other: string): number {
  if (one.length !== other.length) return one.length - other.length;
  return one < other ? -1 : one === other ? 0 : 1;
}

/** The last part of a log's key; older backups leave the ID out of the record. */
export function logName(log: { log_path: string; log_id: bigint }): string {
  return log.log_path === "" ? log.log_id.toString() : log.log_path.slice(log.log_path.lastIndexOf("/") + 1);
}
