import * as z from "zod";
import { copyBatch, copyReceipt } from "../execution/copy-plan.ts";
import { backupOfRows, collectionOfRows } from "./rows-work.ts";
import { type RowsPlan, sampleOf } from "./verify.ts";

/**
 * The batches of rows of a verification are those of a second attempt: the first one looks at objects, and shares its work files with copies.
 */
export const rowsAttempt = 1;

export const rowCollection = collectionOfRows.extend({
  /** L0 segments (`SegmentBackup`) by the ID of their partition, `-1` for all. */
  levelZero: z.record(z.string(), z.array(z.string())),
});
export type RowCollection = Readonly<z.infer<typeof rowCollection>>;

const rowSegment = z.object({
  /** Among all segments of the plan, from 0. */
  number: z.number(),
  /** Number of its collection in the metas. */
  collection: z.number(),
  /** A `SegmentBackup`. */
  record: z.string(),
});

/** The work of one Read Rows invocation; a file in the work bucket. */
export const rowBatch = copyBatch.pick({ batch: true, source: true, receiptKey: true, cancelKey: true }).extend({
  backup: backupOfRows,
  segments: z.array(rowSegment),
});
export type RowBatch = z.infer<typeof rowBatch>;

const countedSegment = rowSegment.pick({ number: true, collection: true }).extend({
  segmentId: z.string(),
  /** Of its insert logs in the backup, ends in `/`. */
  directory: z.string(),
  /** In the logs of every field; of one with problems what its timestamps say. */
  rows: z.number(),
  /** Of these the ones that live at the instant. */
  living: z.number(),
});
export type CountedSegment = z.infer<typeof countedSegment>;

/** Keys of living rows: entries (`core/binlog/key-entries.ts`) in a file of the work bucket. */
const keyRun = z.object({
  collection: z.number(),
  key: z.string(),
  etag: z.string(),
  /** Entries of each bucket; as many as there are buckets. */
  counts: z.array(z.number()),
});
export type KeyRun = z.infer<typeof keyRun>;

/** What Read Rows leaves in the work bucket for one batch: a receipt as copies leave one, with what was counted. */
export const rowReceipt = copyReceipt.extend({ counted: z.array(countedSegment), runs: z.array(keyRun) });
export type RowReceipt = z.infer<typeof rowReceipt>;

/** How much a batch takes: minutes of one Lambda. Each row costs as much time as so many bytes. */
export const rowLimits = { batchBytes: 4 * 2 ** 30, bytesPerRow: 256 } as const;

/** More keys are not compared: what is held of them is bounded, and so is the time of the step that does it. */
export const mostComparedKeys = 200_000_000;

/**
 * Which segments a sample reads: random ones, other ones in each execution and the same ones however often a step runs, until they have the share of
 * the rows that was asked for.
 */
export function sampledSegments(
  segments: readonly { readonly ordinal: number; readonly num_of_rows: bigint }[],
  percent: number,
  execution: string,
): ReadonlySet<number> {
  const sized = segments.map(({ ordinal, num_of_rows }) => ({
    key: String(ordinal),
    size: Math.max(1, Number(num_of_rows)),
  }));
  return new Set([...sampleOf(sized, percent, execution)].map(Number));
}

/**
 * How much of the rows was read, of 100; rounded down: 100 is said of all only.
 * @param segments that were read, with so many rows
 */
export function rowsPercent({ ofRows, percent, unread, ...plan }: RowsPlan, segments: number, rows: number): number {
  if (percent === 100 && unread === 0 && segments === plan.segments) return 100;
  return ofRows === 0 ? 0 : Math.min(99.99, Math.floor((rows / ofRows) * 10_000) / 100);
}
