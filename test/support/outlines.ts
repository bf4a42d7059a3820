import { type CollectionBackup, type SegmentBackup, segmentsOf } from "../../src/core/format/meta.ts";
import type { CollectionOutline, SegmentBrief } from "../../src/core/format/outline.ts";
import { deltaLogBytes } from "../../src/core/format/segment-logs.ts";

/** A collection's record without the logs of its segments, as plans get it. */
export function outlineOf(collection: CollectionBackup): CollectionOutline {
  const ordinals = new Map(segmentsOf(collection).map((segment, ordinal) => [segment, ordinal]));
  const brief = (segment: SegmentBackup): SegmentBrief => {
    const { segment_id, collection_id, partition_id, group_id, num_of_rows, size, is_l0, storage_version } = segment;
    return {
      ...{ segment_id, collection_id, partition_id, group_id, num_of_rows, size, is_l0, storage_version },
      ordinal: ordinals.get(segment) ?? -1,
      insertLogs: segment.binlogs.flatMap(({ binlogs }) => binlogs).length,
      deltaLogs: segment.deltalogs.flatMap(({ binlogs }) => binlogs).length,
      deltaBytes: deltaLogBytes(segment),
    };
  };
  return {
    ...collection,
    l0_segments: collection.l0_segments.map(brief),
    partition_backups: collection.partition_backups.map((partition) => ({
      ...partition,
      segment_backups: partition.segment_backups.map(brief),
    })),
  };
}
