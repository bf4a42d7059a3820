import type { SegmentBackup } from "./meta.ts";

export function insertLogCount(segment: Pick<SegmentBackup, "binlogs">): number {
  return segment.binlogs.reduce((sum, { binlogs }) => sum + binlogs.length, 0);
}

export function deltaLogCount(segment: Pick<SegmentBackup, "deltalogs">): number {
  return segment.deltalogs.reduce((sum, { binlogs }) => sum + binlogs.length, 0);
}

export function deltaLogBytes(segment: Pick<SegmentBackup, "deltalogs">): number {
  return segment.deltalogs.reduce(
    (sum, { binlogs }) => binlogs.reduce((inner, { log_size }) => inner + Number(log_size), sum),
    0,
  );
}
