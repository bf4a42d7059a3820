import type { SegmentBrief } from "../format/outline.ts";
import { hasDeletes } from "./segment-rows.ts";

/** Segments whose logs are put together, in one directory with one log a field. */
export type Merge = readonly SegmentBrief[];

/** What a server reads of one task after another: measured on Milvus 2.3.5, 0.011 s at 1 ms a request and 0.1 s at 25 ms. */
export const readSeconds = 0.05;
/** Read, hashed and written by one Lambda. */
export const mergedBytesPerSecond = 50e6;

/**
 * What Milvus 2.2 and 2.3 reads of a directory at once, all fields of it: several hundred MB at most when it is uncompressed, as the
 * buffers that the logs were written from had 16 MB each. Also what the copy step holds in memory.
 */
const mostBytes = 64 * 2 ** 20;
const mostLogsOfField = 256;
const mostRows = 2n ** 18n;
/** Read by one invocation of the copy step, deltas among them: under a minute at 25 ms a request. */
const mostObjects = 16_384;

/** Segments are merged where that saves at least so much of the server's time in a task. */
const leastSavedSeconds = 1;

/**
 * What is merged of the segments of one task; nothing where it saves next to nothing. Which deletes meet rows of other segments is not known here: where
 * they must not, whoever reads the logs gives such segments directories of their own (`steps/copy/segments-apart.ts`).
 * @param fields that have logs: those of the schema, row ID and timestamp
 */
export function planMerges(segments: readonly SegmentBrief[], fields: number): Merge[] {
  const small = segments.filter((segment) => isSmall(segment, fields));
  const merges = chunksOf(small, fields).filter((merge) => savedObjects(merge, fields) > 0);
  const saved = merges.reduce((sum, merge) => sum + savedObjects(merge, fields), 0);
  return saved * readSeconds < leastSavedSeconds ? [] : merges;
}

/** The directory of merged segments is named after the first of them, which has none of its own. */
export function mergeIdOf([first]: Merge): string {
  if (!first) throw new Error("a merge without segments");
  return first.segment_id.toString();
}

/** Objects that the server need not read. */
export function savedObjects(merge: Merge, fields: number): number {
  return objectsOf(merge) - mergedObjects(merge, fields);
}

export function objectsOf(segments: readonly SegmentBrief[]): number {
  return segments.reduce((sum, { insertLogs, deltaLogs }) => sum + insertLogs + deltaLogs, 0);
}

function mergedObjects(merge: Merge, fields: number): number {
  return fields + (merge.some(hasDeletes) ? 1 : 0);
}

/** Whether the server takes longer to read its logs one by one than a Lambda takes to pass them on. */
function isSmall(segment: SegmentBrief, fields: number): boolean {
  const { insertLogs, storage_version, is_l0 } = segment;
  const { bytes } = sizeOf(segment, fields);
  // every field has as many logs, or it is nothing that can be put together
  const isRegular = insertLogs > 0 && insertLogs % fields === 0;
  if (!isRegular || is_l0 || storage_version > 0n || !fits(sizeOf(segment, fields))) return false;
  return bytes / mergedBytesPerSecond < objectsOf([segment]) * readSeconds;
}

interface MergeSize {
  readonly bytes: number;
  readonly objects: number;
  /** Of each field. */
  readonly logs: number;
  readonly rows: bigint;
}

function sizeOf(segment: SegmentBrief, fields: number): MergeSize {
  return {
    // whoever wrote the backup may have counted the insert logs only
    bytes: Number(segment.size) + segment.deltaBytes,
    objects: objectsOf([segment]),
    logs: segment.insertLogs / fields,
    rows: segment.num_of_rows,
  };
}

function fits({ bytes, objects, logs, rows }: MergeSize): boolean {
  return bytes <= mostBytes && objects <= mostObjects && logs <= mostLogsOfField && rows <= mostRows;
}

/** In their order. */
function chunksOf(segments: readonly SegmentBrief[], fields: number): SegmentBrief[][] {
  const chunks: SegmentBrief[][] = [];
  let current: SegmentBrief[] = [];
  let size: MergeSize = { bytes: 0, objects: 0, logs: 0, rows: 0n };
  for (const segment of segments) {
    const own = sizeOf(segment, fields);
    const both = {
      bytes: size.bytes + own.bytes,
      objects: size.objects + own.objects,
      logs: size.logs + own.logs,
      rows: size.rows + own.rows,
    };
    if (current.length > 0 && !fits(both)) {
      chunks.push(current);
      current = [];
    }
    size = current.length === 0 ? own : both;
    current.push(segment);
  }
  if (current.length > 0) chunks.push(current);
  return chunks;
}
