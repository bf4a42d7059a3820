import { allPartitions, type BackupLayout, type StagingLayout } from "../format/layout.ts";
import type { CollectionBackup, PartitionBackup, SegmentBackup } from "../format/meta.ts";
import type { ImportFiles } from "../milvus/descriptions.ts";
import type { Features } from "../milvus/version.ts";
import {
  copyOutOfBackup,
  deltaLogCount,
  hasDeletes,
  insertLogCount,
  type SizedSegment,
  segmentPath,
} from "./segment-copies.ts";

/** One import to submit: what `ImportRequest` needs, and what to expect of it. */
export interface PlannedImport {
  /** Number of the import within the restore: names it in records, messages and staging keys. */
  readonly task: number;
  /** Imports of a phase start when all of the phase before are complete: data, then a partition's deletes, then all partitions'. */
  readonly phase: 0 | 1 | 2;
  readonly partition: string;
  readonly kind: "segments" | "l0";
  readonly storageVersion: string;
  readonly files: readonly ImportFiles[];
  /** Rows of the segments before deletes, decimal. */
  readonly rows: string;
  readonly hasDeletes: boolean;
  readonly bytes: number;
}

export interface ImportPlan {
  readonly imports: readonly PlannedImport[];
  /** What to stage, or (with no prefix that has a `to`) only to verify, before the target is touched. */
  readonly segments: readonly SizedSegment[];
}

/** A directory of the backup that one import can read, and the segments in it. */
interface Group {
  /** "0" where a backup has no groups. */
  readonly groupId: string;
  readonly segments: readonly SegmentBackup[];
  readonly bytes: number;
}

interface PlanContext {
  readonly collection: CollectionBackup;
  readonly backup: BackupLayout;
  readonly staging: StagingLayout;
  readonly features: Features;
  /** Whether the target Milvus can read the backup where it lies: same object store, same bucket. */
  readonly readsInPlace: boolean;
  /** Number of this collection's first import within the restore; staging directories are named after these numbers. */
  readonly firstTask: number;
}

/** Milvus 2.2/2.3 takes one import task after another; a task should still be retried within minutes. */
const mergedTaskBytes = 2 * 2 ** 30;

/**
 * What a merged task saves and what staging it costs, in seconds: each task takes Milvus 2.3 about 2 s whatever its size;
 * a server-side copy makes about 500 objects and 200 MB a second on a small MinIO (measured: 800 objects/s, 430 MB/s).
 */
const taskSeconds = 2;
const stagedObjectsPerSecond = 500;
const stagedBytesPerSecond = 200e6;

/** Plans the imports of one collection and the copies they need. */
export function planImports(context: PlanContext): ImportPlan {
  const builder = new ImportPlanBuilder(context);
  for (const partition of context.collection.partition_backups) builder.addPartition(partition);
  builder.addL0("", 2, context.collection.l0_segments.filter(hasDeletes));
  return builder.plan();
}

class ImportPlanBuilder {
  readonly #context: PlanContext;
  readonly #imports: PlannedImport[] = [];
  readonly #segments: SizedSegment[] = [];

  constructor(context: PlanContext) {
    this.#context = context;
  }

  plan(): ImportPlan {
    return { imports: this.#imports, segments: this.#segments };
  }

  addPartition(partition: PartitionBackup): void {
    // Rows without logs are damage: kept here, so that the check of what lies in the backup finds it.
    const data = partition.segment_backups.filter(
      (segment) => !segment.is_l0 && (insertLogCount(segment) > 0 || segment.num_of_rows > 0n),
    );
    // One import takes segments of one storage version.
    for (const [storageVersion, segments] of Map.groupBy(data, ({ storage_version }) => storage_version.toString())) {
      const groups = groupsOf(segments);
      if (this.#context.features.importApi === "grpc") this.#addTasks(partition, storageVersion, groups);
      else this.#addJobs(partition, storageVersion, groups);
    }
    this.addL0(
      partition.partition_name,
      1,
      partition.segment_backups.filter((segment) => segment.is_l0 && hasDeletes(segment)),
    );
  }

  /** Milvus 2.2/2.3: a task reads one directory of segments, one task runs at a time. */
  #addTasks(partition: PartitionBackup, storageVersion: string, groups: readonly Group[]): void {
    const merged = chunkByBytes(groups, mergedTaskBytes);
    if (this.#context.readsInPlace && !worthStaging(groups, merged.length)) {
      for (const group of groups) this.#addImport(partition, storageVersion, [group], undefined);
      return;
    }
    for (const chunk of merged) this.#addImport(partition, storageVersion, chunk, "merged");
  }

  /** Milvus 2.4+: a job reads many pairs of directories and Milvus runs them side by side. */
  #addJobs(partition: PartitionBackup, storageVersion: string, groups: readonly Group[]): void {
    // In place a pair is a group; a staged pair is one segment.
    const pairs = this.#context.readsInPlace ? groups : groups.flatMap(singleSegments);
    for (const chunk of chunksOf(pairs, this.#context.features.pairsPerJob)) {
      this.#addImport(partition, storageVersion, chunk, this.#context.readsInPlace ? undefined : "pairs");
    }
  }

  #addImport(
    partition: PartitionBackup,
    storageVersion: string,
    groups: readonly Group[],
    staged: "merged" | "pairs" | undefined,
  ): void {
    const task = this.#nextTask();
    const segments = groups.flatMap((group) => group.segments);
    this.#imports.push({
      task,
      phase: 0,
      partition: partition.partition_name,
      kind: "segments",
      storageVersion,
      files:
        staged === "merged"
          ? [this.#stageMerged(task, partition.partition_id.toString(), segments)]
          : staged === "pairs"
            ? segments.map((segment) => this.#stagePair(task, segment))
            : groups.map((group) => this.#readInPlace(group)),
      rows: segments.reduce((sum, segment) => sum + segment.num_of_rows, 0n).toString(),
      hasDeletes: segments.some(hasDeletes),
      bytes: totalBytes(segments),
    });
  }

  /** Deletes of a partition (or, with the partition "", of all) that lie in L0 segments; only Milvus 2.4+ has them. */
  addL0(partition: string, phase: 1 | 2, segments: readonly SegmentBackup[]): void {
    const perJob = this.#context.features.multiL0PerJob ? this.#context.features.pairsPerJob : 1;
    for (const [storageVersion, members] of Map.groupBy(segments, (segment) => segment.storage_version.toString())) {
      for (const chunk of chunksOf(members, perJob)) {
        const task = this.#nextTask();
        this.#imports.push({
          task,
          phase,
          partition,
          kind: "l0",
          storageVersion,
          files: chunk.map((segment) =>
            this.#context.readsInPlace ? this.#readL0InPlace(segment) : this.#stagePair(task, segment),
          ),
          rows: "0",
          hasDeletes: true,
          bytes: totalBytes(chunk),
        });
      }
    }
  }

  #nextTask(): number {
    return this.#context.firstTask + this.#imports.length;
  }

  /** Copies segments side by side below the one directory a task of Milvus 2.2/2.3 reads. */
  #stageMerged(task: number, partitionId: string, segments: readonly SegmentBackup[]): ImportFiles {
    const directory = this.#context.staging.task(task, {
      collectionId: this.#context.collection.collection_id.toString(),
      partitionId,
    });
    for (const segment of segments) {
      const segmentId = segment.segment_id.toString();
      this.#copySegment(segment, directory.insertLogs(segmentId), directory.deltaLogs(segmentId));
    }
    return { insert: directory.insert, delta: segments.some(hasDeletes) ? directory.delta : "" };
  }

  /** Copies one segment below a directory of its own. */
  #stagePair(task: number, segment: SegmentBackup): ImportFiles {
    const pair = this.#context.staging.pair(task, segmentPath(segment));
    this.#copySegment(segment, pair.insertLogs, pair.deltaLogs);
    return { insert: segment.is_l0 ? "" : pair.insert, delta: hasDeletes(segment) ? pair.delta : "" };
  }

  /** Verifies segments where they lie, and lets Milvus read the directory they share. */
  #readInPlace(group: Group): ImportFiles {
    for (const segment of group.segments) this.#copySegment(segment, "", "");
    const first = group.segments[0];
    if (!first) throw new Error("a group without segments");
    return {
      insert: this.#context.backup.insertGroup(segmentPath(first)),
      delta: group.segments.some(hasDeletes) ? this.#context.backup.deltaGroup(segmentPath(first)) : "",
    };
  }

  #readL0InPlace(segment: SegmentBackup): ImportFiles {
    this.#copySegment(segment, "", "");
    const path = segmentPath(segment);
    const grouped = path.groupId !== "0" && path.partitionId !== allPartitions;
    return {
      insert: "",
      delta: grouped ? this.#context.backup.deltaGroup(path) : this.#context.backup.deltaLogs(path),
    };
  }

  /** Adds the copies of a segment's logs; without a destination (`""`) they are only verified. */
  #copySegment(segment: SegmentBackup, insertTo: string, deltaTo: string): void {
    this.#segments.push(copyOutOfBackup(segment, this.#context.backup, { insert: insertTo, delta: deltaTo }));
  }
}

/** Segments by the directory that holds them: their group, or the partition itself where a backup has no groups. */
function groupsOf(segments: readonly SegmentBackup[]): Group[] {
  return [...Map.groupBy(segments, (segment) => segment.group_id.toString())].map(([groupId, members]) => ({
    groupId,
    segments: members,
    bytes: totalBytes(members),
  }));
}

function singleSegments({ groupId, segments }: Group): Group[] {
  return segments.map((segment) => ({ groupId, segments: [segment], bytes: Number(segment.size) }));
}

function chunksOf<T>(values: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(values.length / size) }, (_, index) =>
    values.slice(index * size, (index + 1) * size),
  );
}

function worthStaging(groups: readonly Group[], mergedTasks: number): boolean {
  const objects = groups
    .flatMap(({ segments }) => segments)
    .reduce((sum, segment) => sum + insertLogCount(segment) + deltaLogCount(segment), 0);
  const bytes = groups.reduce((sum, group) => sum + group.bytes, 0);
  const saved = (groups.length - mergedTasks) * taskSeconds;
  return saved > objects / stagedObjectsPerSecond + bytes / stagedBytesPerSecond;
}

function chunkByBytes(groups: readonly Group[], limit: number): Group[][] {
  const chunks: Group[][] = [];
  let current: Group[] = [];
  let bytes = 0;
  for (const group of groups) {
    if (current.length > 0 && bytes + group.bytes > limit) {
      chunks.push(current);
      current = [];
      bytes = 0;
    }
    current.push(group);
    bytes += group.bytes;
  }
  if (current.length > 0) chunks.push(current);
  return chunks;
}

function totalBytes(segments: readonly SegmentBackup[]): number {
  return segments.reduce((sum, segment) => sum + Number(segment.size), 0);
}
