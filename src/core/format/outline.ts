import type { BackupInfo, BackupWith, CollectionWith, SegmentBackup } from "./meta.ts";
import type { Parsed } from "./meta-codec.ts";
import type { StreamedSegment } from "./meta-stream.ts";
import { deltaLogBytes, deltaLogCount, insertLogCount } from "./segment-logs.ts";

/** What plans need to know of a segment, without its logs: about a hundred bytes instead of kilobytes. */
export interface SegmentBrief
  extends Pick<
    SegmentBackup,
    "segment_id" | "collection_id" | "partition_id" | "group_id" | "num_of_rows" | "size" | "is_l0" | "storage_version"
  > {
  /** Its number among all segments of the backup, in the order in which they are read. */
  readonly ordinal: number;
  readonly insertLogs: number;
  readonly deltaLogs: number;
  /** Of the delta logs together. */
  readonly deltaBytes: number;
}

/** A backup whose segments are known without their logs. */
export type BackupOutline = BackupWith<SegmentBrief>;
export type CollectionOutline = CollectionWith<SegmentBrief>;

/** Reads a stream of segments to its end and keeps the outline. */
export async function readOutline(
  segments: AsyncGenerator<StreamedSegment, Parsed<BackupInfo>, undefined>,
): Promise<Parsed<BackupOutline>> {
  const ids = new SharedIds();
  const lists = new Map<string, SegmentBrief[]>();
  for (let ordinal = 0; ; ordinal += 1) {
    const { done, value } = await segments.next();
    if (done) return { value: withSegments(value.value, lists), warnings: value.warnings };
    const place = placeOf(value.collection, value.partition);
    const list = lists.get(place) ?? [];
    if (list.length === 0) lists.set(place, list);
    list.push(briefOf(value.segment, ordinal, ids));
  }
}

function briefOf(segment: SegmentBackup, ordinal: number, ids: SharedIds): SegmentBrief {
  const { segment_id, group_id, num_of_rows, size, is_l0, storage_version } = segment;
  return {
    ordinal,
    segment_id,
    collection_id: ids.share(segment.collection_id),
    partition_id: ids.share(segment.partition_id),
    group_id: group_id === segment_id ? segment_id : ids.share(group_id),
    num_of_rows,
    size,
    is_l0,
    storage_version: ids.share(storage_version),
    insertLogs: insertLogCount(segment),
    deltaLogs: deltaLogCount(segment),
    deltaBytes: deltaLogBytes(segment),
  };
}

function withSegments(backup: BackupInfo, lists: ReadonlyMap<string, SegmentBrief[]>): BackupOutline {
  return {
    ...backup,
    collection_backups: backup.collection_backups.map((collection, index) => ({
      ...collection,
      l0_segments: lists.get(placeOf(index, undefined)) ?? [],
      partition_backups: collection.partition_backups.map((partition, at) => ({
        ...partition,
        segment_backups: lists.get(placeOf(index, at)) ?? [],
      })),
    })),
  };
}

function placeOf(collection: number, partition: number | undefined): string {
  return `${collection}/${partition ?? "all"}`;
}

/** Of IDs that many segments have, one bigint is enough. */
class SharedIds {
  readonly #known = new Map<bigint, bigint>();

  share(id: bigint): bigint {
    const known = this.#known.get(id);
    if (known === undefined) this.#known.set(id, id);
    return known ?? id;
  }
}
