import type { SegmentBrief } from "../format/outline.ts";
import { type Merge, mergedBytesPerSecond, objectsOf, readSeconds } from "./merges.ts";

/** A directory of the backup that one import can read, and the segments in it. */
export interface Group {
  readonly segments: readonly SegmentBrief[];
  readonly bytes: number;
}

/** Milvus 2.2/2.3 takes one import task after another; a task should still be retried within minutes. */
const mergedTaskBytes = 2 * 2 ** 30;

/**
 * What a merged task saves and what staging it costs, in seconds: each task takes Milvus 2.3 about 2 s whatever its size;
 * a server-side copy makes about 500 objects and 200 MB a second on a small MinIO (measured: 800 objects/s, 430 MB/s).
 */
export const taskSeconds = 2;
const stagedObjectsPerSecond = 500;
const stagedBytesPerSecond = 200e6;

/** What tasks that make the check of the rows sharper may add to what staging takes anyway. */
const mostAddedShare = 0.1;

/** Segments by the directory that holds them: their group, or the partition itself where a backup has no groups. */
export function groupsOf(segments: readonly SegmentBrief[]): Group[] {
  return [...Map.groupBy(segments, ({ group_id }) => group_id).values()].map((members) => ({
    segments: members,
    bytes: totalBytes(members),
  }));
}

export function singleSegments({ segments }: Group): Group[] {
  return segments.map((segment) => ({ segments: [segment], bytes: Number(segment.size) }));
}

/**
 * Whether staging groups side by side is quicker than a task for each of them where they lie.
 * @param tasks that the staged ones are
 * @param merges what is put together of them
 * @param savedObjects that the server need not read then
 */
export function worthStaging(
  groups: readonly Group[],
  { tasks, merges, savedObjects }: { tasks: number; merges: readonly Merge[]; savedObjects: number },
): boolean {
  const saved = (groups.length - tasks) * taskSeconds + savedObjects * readSeconds;
  return saved > stagingSeconds(groups, merges);
}

/** Whether tasks that only make the check of the rows sharper are few against what staging takes anyway. */
export function worthTasks(groups: readonly Group[], added: number): boolean {
  return added * taskSeconds <= stagingSeconds(groups) * mostAddedShare;
}

function stagingSeconds(groups: readonly Group[], merges: readonly Merge[] = []): number {
  const merged = merges.flat();
  const mergedBytes = totalBytes(merged);
  const objects = objectsOf(groups.flatMap(({ segments }) => segments)) - objectsOf(merged);
  const bytes = groups.reduce((sum, group) => sum + group.bytes, 0) - mergedBytes;
  return objects / stagedObjectsPerSecond + bytes / stagedBytesPerSecond + mergedBytes / mergedBytesPerSecond;
}

/** Groups in the order they come in, for tasks of at most 2 GiB. */
export function chunkByBytes(groups: readonly Group[]): Group[][] {
  return chunkWithin(groups, mergedTaskBytes, ({ bytes }) => bytes);
}

/** In their order; what is larger than the limit by itself is a chunk of its own. */
export function chunkWithin(groups: readonly Group[], limit: number, sizeOf: (group: Group) => number): Group[][] {
  const chunks: Group[][] = [];
  let current: Group[] = [];
  let size = 0;
  for (const group of groups) {
    if (current.length > 0 && size + sizeOf(group) > limit) {
      chunks.push(current);
      current = [];
      size = 0;
    }
    current.push(group);
    size += sizeOf(group);
  }
  if (current.length > 0) chunks.push(current);
  return chunks;
}

export function totalBytes(segments: readonly SegmentBrief[]): number {
  return segments.reduce((sum, segment) => sum + Number(segment.size), 0);
}
