import type { LogHead } from "../format/log-head.ts";
import type { SegmentBrief } from "../format/outline.ts";
import { hybridTimestamp, type Instant, physicalMilliseconds } from "../milvus/instant.ts";

/** What is known of the rows of a segment from the heads of its logs; absent where they do not tell. */
export interface KnownRows {
  /** Rows that are surely not later than the instant. */
  readonly upToInstant?: bigint;
  /** More rows than these its deletes do not take away. */
  readonly deletes?: bigint;
}

/** More than these no delta log holds: each has a primary key and a timestamp, however well they are compressed. */
export const deletesPerByte = 8n;

/** Uncompressed a delete has at least its timestamp. Some deletes take several rows, of a key that was inserted more than once. */
const bytesPerDelete = 8n;

/** The timestamp field: 8 bytes a row. */
const bytesPerRow = 8n;

export function hasDeletes(segment: Pick<SegmentBrief, "deltaLogs">): boolean {
  return segment.deltaLogs > 0;
}

/**
 * The rows that an import of a segment brings at least: without those that deletes can take away, and those that may be later than the
 * instant of the backup.
 * @param mayBeLater whether some may be later
 */
export function leastRows(segment: SegmentBrief, known: KnownRows, mayBeLater: boolean): bigint {
  const rows = mayBeLater ? (known.upToInstant ?? 0n) : segment.num_of_rows;
  const deletes = hasDeletes(segment) ? (known.deletes ?? BigInt(segment.deltaBytes) * deletesPerByte) : 0n;
  return deletes >= rows ? 0n : rows - deletes;
}

/**
 * How many rows of a segment are surely not later than the instant: of logs that end before it all, of one that only begins before it its
 * first row.
 * @param heads of the logs of its timestamps; undefined for one that does not tell
 * @returns undefined where the logs do not add up to the rows of the segment
 */
export function rowsUpTo(
  { timestamp }: Instant,
  rows: bigint,
  heads: readonly (LogHead | undefined)[],
): bigint | undefined {
  // what an import is cut at where it takes milliseconds
  const end = BigInt(hybridTimestamp(physicalMilliseconds(timestamp)));
  let [total, certain] = [0n, 0n];
  for (const head of heads) {
    if (!head) return undefined;
    const inLog = head.originalSize / bytesPerRow;
    total += inLog;
    if (head.to <= end) certain += inLog;
    else if (head.from <= end) certain += 1n;
  }
  return total === rows ? certain : undefined;
}

/** How many rows the deletes of these logs take away at most; undefined where one of them does not tell. */
export function deletesIn(heads: readonly (LogHead | undefined)[]): bigint | undefined {
  let deletes = 0n;
  for (const head of heads) {
    if (!head) return undefined;
    deletes += head.originalSize / bytesPerDelete;
  }
  return deletes;
}
