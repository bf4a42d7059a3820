import { allPartitions } from "../format/layout.ts";
import type { SegmentBackup } from "../format/meta.ts";
import type { CollectionOutline, SegmentBrief } from "../format/outline.ts";

/**
 * L0 segments of a collection that are not imported by themselves: their logs are staged beside those of the segments whose rows they delete. With deletes
 * from after the instant, an import that the target does not cut (`features.l0End`) would take rows whose successors are not in the backup; and where rows
 * count as written when they are imported (`features.importTimes`), none would take any. Beside a segment's own deletes they are cut, and held against
 * its rows' own times.
 */
export class SpreadDeletes {
  readonly segments: readonly SegmentBrief[];
  readonly #known: ReadonlyMap<string, bigint>;
  /** By partition. */
  readonly #over = new Map<bigint, readonly SegmentBrief[]>();

  /** @param known which ones, by ID, and how many rows those of their deletes take at most that are not later than the instant */
  constructor({ l0_segments, partition_backups }: CollectionOutline, known: ReadonlyMap<string, bigint> = new Map()) {
    this.#known = known;
    const all = [...partition_backups.flatMap(({ segment_backups }) => segment_backups), ...l0_segments];
    this.segments = known.size === 0 ? [] : all.filter((segment) => this.has(segment));
  }

  has({ is_l0, segment_id }: Pick<SegmentBrief, "is_l0" | "segment_id">): boolean {
    return is_l0 && this.#known.has(segment_id.toString());
  }

  /** Those whose deletes concern the rows of a partition. */
  over(partitionId: bigint): readonly SegmentBrief[] {
    const known = this.#over.get(partitionId);
    if (known) return known;
    const over = this.segments.filter((segment) => concerns(segment, partitionId));
    this.#over.set(partitionId, over);
    return over;
  }

  /** More rows than these they do not take from a partition. */
  countOver(partitionId: bigint): bigint {
    const counts = this.over(partitionId).map(({ segment_id }) => this.#known.get(segment_id.toString()) ?? 0n);
    return counts.reduce((sum, count) => sum + count, 0n);
  }
}

/** Whether the deletes of an L0 segment are about the rows of a partition. */
export function concerns(
  { partition_id }: Pick<SegmentBackup | SegmentBrief, "partition_id">,
  partitionId: bigint,
): boolean {
  return partition_id === partitionId || String(partition_id) === allPartitions;
}
