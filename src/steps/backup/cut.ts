import type {
  CollectionDescription,
  FlushedCollection,
  SegmentDescription,
  SegmentLogs,
} from "../../core/milvus/descriptions.ts";
import type { PartialDouble } from "../../core/plan/backup.ts";

/** What Milvus showed of a collection's segments, all of one moment. */
export interface Cut {
  readonly flushed?: FlushedCollection;
  readonly segments: readonly SegmentDescription[];
  /** The exact logs of segments, where Milvus names them. */
  readonly logs: ReadonlyMap<string, SegmentLogs>;
  /** IDs of the delta logs that lay below each segment, where it does not. */
  readonly deltaLogs: ReadonlyMap<string, readonly string[]>;
  /** Segments that may hold rows of others once more: nobody can tell whether a clustering compaction made them that is not over. */
  readonly unclear?: readonly string[];
  readonly partial?: readonly PartialDouble[];
}

/** How the segments of a collection are found, and what fixes the moment that they are of. A snapshot of Milvus 3 would be one more. */
export interface SegmentSource {
  /** @throws InconsistentSegments where compaction is quicker than every look, and what Milvus throws */
  cut(collection: CollectionDescription): Promise<Cut>;
}
