import { allPartitions, type BackupLayout, type StagingLayout } from "../format/layout.ts";
import type { SegmentBackup } from "../format/meta.ts";
import type { CollectionOutline, SegmentBrief } from "../format/outline.ts";
import type { ImportFiles } from "../milvus/descriptions.ts";
import { type Group, groupsOf } from "./import-groups.ts";
import { type Merge, mergeIdOf } from "./merges.ts";
import type { PlannedImport } from "./planned-restore.ts";
import { segmentPath } from "./segment-copies.ts";
import { hasDeletes } from "./segment-rows.ts";
import type { SpreadDeletes } from "./spread-deletes.ts";

/**
 * How the segments of an import come before Milvus: side by side below one directory, each below a directory of its own, or where they
 * lie. Of those that are side by side some share a directory, in which their logs are put together (merges.ts).
 */
export type Staging = "side-by-side" | "pairs" | "in-place";

/** What of an import tells where it lies. */
export interface StagedImport extends Pick<PlannedImport, "kind"> {
  readonly staging: Staging;
  /** Of the partition whose segments they are; "" for deletes. */
  readonly partitionId: string;
  readonly segments: readonly SegmentBrief[];
  /** What the directory is named after beside its number; nothing where all plans number alike. */
  readonly contents: readonly string[];
}

export interface PlacesContext {
  readonly collection: CollectionOutline;
  readonly backup: BackupLayout;
  readonly staging: StagingLayout;
  /** Number of this collection's first import within the restore. */
  readonly firstTask: number;
  /** Staging directories are named after the numbers from this one on: a collection that is restored under several names is staged once. */
  readonly stagedAs: number;
  /** L0 segments that are not imported by themselves, by ID, and how many rows their deletes take at most. */
  readonly spread?: ReadonlyMap<string, bigint> | undefined;
}

/** The directories of the imports of one collection: where Milvus reads them, and where their logs are staged. */
export class ImportPlaces {
  readonly #context: PlacesContext;
  readonly #spread: SpreadDeletes;

  constructor(context: PlacesContext, spread: SpreadDeletes) {
    this.#context = context;
    this.#spread = spread;
  }

  /** What an import reads. */
  filesOf(task: number, planned: StagedImport): ImportFiles[] {
    const { staging, kind, segments } = planned;
    // Milvus reads none of them
    if (kind === "rows") return segments.map(({ segment_id }) => ({ insert: segment_id.toString(), delta: "" }));
    switch (staging) {
      case "side-by-side": {
        const { insert, delta } = this.#taskDirectory(task, planned);
        return [{ insert, delta: segments.some(hasDeletes) ? delta : "" }];
      }
      case "pairs":
        return segments.map((segment) => {
          const { insert, delta } = this.#context.staging.pair(this.#stagedTask(task), segmentPath(segment));
          return { insert: segment.is_l0 ? "" : insert, delta: this.meetsDeletes(segment) ? delta : "" };
        });
      case "in-place":
        return kind === "l0"
          ? segments.map((segment) => this.#l0InPlace(segment))
          : groupsOf(segments).map((group) => this.#groupInPlace(group));
    }
  }

  /** Where the logs of a segment go; nowhere (`""`) where Milvus reads them in place. */
  destinationOf(
    task: number,
    planned: StagedImport,
    segment: SegmentBackup,
    merge: Merge | undefined,
  ): { insert: string; delta: string } {
    const { staging } = planned;
    if (staging === "in-place") return { insert: "", delta: "" };
    const path = segmentPath(segment);
    if (staging === "pairs") {
      const { insertLogs, deltaLogs } = this.#context.staging.pair(this.#stagedTask(task), path);
      const isShared = !segment.is_l0 && this.#spread.over(segment.partition_id).length > 0;
      return { insert: insertLogs, delta: isShared ? `${deltaLogs}${path.segmentId}/` : deltaLogs };
    }
    const directory = this.#taskDirectory(task, planned);
    const id = merge ? mergeIdOf(merge) : path.segmentId;
    return { insert: directory.insertLogs(id), delta: directory.deltaLogs(id) };
  }

  /**
   * Where the logs of a spread segment go beside those of one whose rows it deletes. Milvus reads what lies below the directory of that one, however deep:
   * the logs of each have one of their own, of which what else lies there is removed.
   */
  spreadInto(task: number, taker: SegmentBrief, { segment_id }: SegmentBackup): string {
    return `${this.#context.staging.pair(this.#stagedTask(task), segmentPath(taker)).deltaLogs}${segment_id}/`;
  }

  /** Whether deletes are looked at when a segment is imported: its own, or some that are spread. */
  meetsDeletes(segment: SegmentBrief): boolean {
    return hasDeletes(segment) || this.#spread.over(segment.partition_id).length > 0;
  }

  /** The one directory below which a task of Milvus 2.2/2.3 finds its segments side by side. */
  #taskDirectory(task: number, { partitionId, contents }: StagedImport): ReturnType<StagingLayout["task"]> {
    const collectionId = this.#context.collection.collection_id.toString();
    return this.#context.staging.task(this.#stagedTask(task), { collectionId, partitionId }, contents);
  }

  #stagedTask(task: number): number {
    return task - this.#context.firstTask + this.#context.stagedAs;
  }

  /** The directory that segments share where they lie. */
  #groupInPlace({ segments }: Group): ImportFiles {
    const first = segments[0];
    if (!first) throw new Error("a group without segments");
    return {
      insert: this.#context.backup.insertGroup(segmentPath(first)),
      delta: segments.some(hasDeletes) ? this.#context.backup.deltaGroup(segmentPath(first)) : "",
    };
  }

  #l0InPlace(segment: SegmentBrief): ImportFiles {
    const path = segmentPath(segment);
    const grouped = path.groupId !== "0" && path.partitionId !== allPartitions;
    return {
      insert: "",
      delta: grouped ? this.#context.backup.deltaGroup(path) : this.#context.backup.deltaLogs(path),
    };
  }
}
