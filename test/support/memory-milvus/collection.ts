import type { StoredValue } from "../../../src/core/binlog/stored-column.ts";
import type {
  CollectionDescription,
  ImportRequest,
  ImportTask,
  IndexDescription,
  PartitionDescription,
  SegmentDescription,
  SegmentLogs,
} from "../../../src/ports/milvus.ts";

/** A segment that a test puts in, with its exact logs where describeSegmentLogs is to tell them. */
export interface MemorySegment extends SegmentDescription {
  readonly logs?: SegmentLogs;
}

/** A row that was inserted, where it went, and the call that brought it: Milvus gives the rows of a call one timestamp. */
export interface MemoryRow {
  readonly partition: string;
  readonly call: number;
  readonly values: ReadonlyMap<string, StoredValue>;
}

export interface MemoryImport {
  task: ImportTask;
  request: ImportRequest;
  polls: number;
  /** Not listed any more; what it does goes on. */
  forgotten: boolean;
}

/** All that the server has of a collection. */
export interface MemoryCollection {
  description: CollectionDescription;
  partitions: PartitionDescription[];
  indexes: IndexDescription[];
  segments: MemorySegment[];
  imports: MemoryImport[];
  inserted: MemoryRow[];
  /** Loaded partitions; `*` stands for the whole collection. */
  loaded: Map<string, number>;
  /** Segments sealed by the next flush. */
  growing: MemorySegment[];
}
