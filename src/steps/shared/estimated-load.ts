import type { SegmentBrief } from "../../core/format/outline.ts";

/** One collection of a backup, as its metas tell it. */
export interface EstimatedInBackup {
  /** `db.coll` */
  readonly collection: string;
  readonly segments: number;
  readonly objects: number;
  /** With the delta logs, as the metas of both tools sum them up. */
  readonly bytes: number;
  /** Deletes are not subtracted. */
  readonly rows: bigint;
}

/** What segments of a backup are together. */
export function loadOf(collection: string, segments: readonly SegmentBrief[]): EstimatedInBackup {
  return {
    collection,
    segments: segments.length,
    objects: segments.reduce((sum, { insertLogs, deltaLogs }) => sum + insertLogs + deltaLogs, 0),
    bytes: segments.reduce((sum, { size }) => sum + Number(size), 0),
    rows: segments.reduce((sum, { num_of_rows, is_l0 }) => (is_l0 ? sum : sum + num_of_rows), 0n),
  };
}
