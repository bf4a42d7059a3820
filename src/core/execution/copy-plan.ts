import * as z from "zod";
import { objectLock } from "./object-lock.ts";
import { storageClasses } from "./storage-class.ts";

/** A bucket by what is registered about it: an environment's Milvus bucket or its backup bucket. */
const storeRef = z.object({
  environment: z.string(),
  side: z.enum(["milvus", "backup"]),
  /** The registration that is meant; absent: whatever is registered. */
  version: z.string().optional(),
  /** Another bucket of that store, reached with the same credentials (`export`). */
  bucket: z.string().optional(),
});
export type StoreRef = z.infer<typeof storeRef>;
/** What an execution opens: never what somebody registered since it began. */
export type PinnedStoreRef = StoreRef & { readonly version: string };

/** A bucket of an environment as it was registered when it was read. */
export function pinnedStore(
  environment: { readonly name: string; readonly version: string },
  side: StoreRef["side"],
): PinnedStoreRef {
  return { environment: environment.name, side, version: environment.version };
}

const expectedLog = z.object({
  path: z.string(),
  size: z.number(),
  /** In the store where the backup was made. */
  etag: z.string().optional(),
  checksum: z.string().optional(),
});
export type ExpectedLog = z.infer<typeof expectedLog>;

const copiedLog = z.object({
  /** Key in the source bucket. */
  from: z.string(),
  /** Key in the destination bucket; the source key again where nothing was copied. */
  key: z.string(),
  size: z.number(),
  etag: z.string(),
  checksum: z.string().optional(),
  /** true: an incremental backup found it stored already. */
  there: z.boolean().optional(),
  /** true: it lay there, and that it is a copy of its source is told by the note beside it alone, not by its content. */
  noted: z.boolean().optional(),
});
export type CopiedLog = z.infer<typeof copiedLog>;

/**
 * One prefix of a segment (its insert logs, or its delta logs), from where to where. Both end in `/`; with `to` empty nothing is
 * copied, only what is expected is verified where it lies.
 */
const copyPrefix = z.object({
  from: z.string(),
  to: z.string(),
  kind: z.enum(["insert", "delta"]),
  /** The exact objects below `from` to copy, relative to it; absent: everything that lies there. */
  only: z.array(z.string()).optional(),
  /**
   * What must be found below `from` (relative key and bytes), where a meta says so; nothing is copied unless it is. With ETag and
   * checksum where a manifest is at hand (`repair`, `content`).
   */
  expect: z.array(expectedLog).optional(),
  /**
   * true: other backups may name what lies below `to`: what is there and the same is not copied again, what differs is told
   * (`conflict`), and nothing is removed or replaced.
   */
  shared: z.boolean().optional(),
});
export type CopyPrefix = z.infer<typeof copyPrefix>;

/** Whether the objects of a prefix are to be copied; otherwise they are only verified where they lie. */
export function isCopied(prefix: Pick<CopyPrefix, "to">): boolean {
  return prefix.to !== "";
}

export const copySegment = z.object({
  /** Decimal 64-bit IDs. */
  collectionId: z.string(),
  partitionId: z.string(),
  segmentId: z.string(),
  /** Rows by Milvus's count, decimal; a segment with rows must have insert logs. */
  rows: z.string(),
  isL0: z.boolean(),
  /** Fields of which it must have insert logs, where that is known. */
  fieldIds: z.array(z.string()).optional(),
  prefixes: z.array(copyPrefix),
  /** Insert logs that the destination was seen to hold: they are copied no more, and belong into the receipt. */
  stored: z.array(copiedLog).optional(),
});
export type CopySegment = z.infer<typeof copySegment>;

/** How it is known that deletes of one segment meet no row of another: by the keys of both. */
const deletesApart = z.object({
  /** `id` of the field, decimal; `dataType` is Milvus's number. */
  primaryKey: z.object({ id: z.string(), name: z.string(), dataType: z.number() }),
  /** Whether the server is known to spare rows that are newer than a delete; otherwise it may take every row of the key. */
  byTime: z.boolean(),
  /** Hybrid, decimal: the server looks at nothing that is later; absent: at everything. */
  until: z.string().optional(),
});
export type DeletesApart = z.infer<typeof deletesApart>;

const claimRef = z.object({ key: z.string(), holder: z.string() });

/** The work of one Copy Segments invocation; a file in the work bucket. */
export const copyBatch = z.object({
  batch: z.string(),
  source: storeRef,
  destination: storeRef,
  receiptKey: z.string(),
  cancelKey: z.string(),
  /** true: insert logs are as Milvus keeps them, every field must have the same number of logs. */
  checkLogCounts: z.boolean(),
  /** What its execution holds of the destination, and must hold to write there; absent where nobody else writes. */
  claim: claimRef.optional(),
  /** The same of the place of shared segments, where the destination is an incremental backup. */
  segmentsClaim: claimRef.optional(),
  /**
   * true: the destination is this very backup already. What is right there is left alone, and only what is missing or wrong is copied,
   * from a source that is right.
   */
  repair: z.boolean().optional(),
  /**
   * What is expected must have the content that the manifest says: by what is known of an object without reading it (`free`), or by
   * reading it where nothing tells (`read`). Absent: its size.
   */
  content: z.enum(["free", "read"]).optional(),
  /** Nothing is copied: each object that is not what is expected is named (the machine `verify`). */
  verify: z
    .object({
      /** Of the bytes of the batch, at least so many of 100 are read, whatever the store says of them. */
      percent: z.number().min(0).max(100),
      /** true: what is read is compared with nothing, and its checksum goes into the receipt. */
      seal: z.boolean().optional(),
    })
    .optional(),
  /**
   * true: all segments have the same destinations, below which their logs are put together, in the order of the segments, into one log a
   * field. None is large: what they have fits into memory.
   */
  merged: z.boolean().optional(),
  /**
   * Of segments that are merged: a delete of one must meet no row of another. A segment whose deletes would meet some gets a directory of its own beside
   * the one that the others share, named after it.
   */
  apart: deletesApart.optional(),
  /** What lies at the destination in the end is locked so, what was there before included. */
  lock: objectLock.optional(),
  /** Of what is copied. */
  storageClass: z.enum(storageClasses).optional(),
  segments: z.array(copySegment),
});
export type CopyBatch = z.infer<typeof copyBatch>;

/** What can be wrong with an object of a backup. */
export const problemKinds = ["missing", "extra", "truncated", "altered", "inconsistent"] as const;

/** What a verification finds of one object. */
export const objectProblem = z.object({
  key: z.string(),
  /**
   * `truncated`: it has fewer bytes; `altered`: more of them, or others; `extra`: nothing says that it belongs there; `inconsistent`: its rows are not
   * what the schema, the metas or its other fields say.
   */
  kind: z.enum(problemKinds),
  /** For people, behind the key: `has 12 bytes instead of 90`. */
  detail: z.string(),
});
export type ObjectProblem = Readonly<z.infer<typeof objectProblem>>;

const segmentReceipt = z.object({
  collectionId: z.string(),
  partitionId: z.string(),
  segmentId: z.string(),
  /**
   * - `copied`: every object is there and was checked (or verified, where nothing is copied)
   * - `source-changed`: the segment's objects vanished while it was read
   * - `inconsistent-logs`: its fields do not have the same number of logs: a flush or compaction left or is leaving orphans
   * - `mismatch`: what lies there is not what the meta says
   * - `conflict`: what an incremental backup would share is stored under the same keys with other content
   */
  outcome: z.enum(["copied", "source-changed", "inconsistent-logs", "mismatch", "conflict"]),
  /** For people, where the outcome is not `copied`. */
  problem: z.string().optional(),
  /** Keys at the destination that hold something else, where that is the outcome. */
  conflicts: z.array(z.string()).optional(),
  /** Of a verification: everything that is wrong; the logs are those that lie there, right or not. */
  problems: z.array(objectProblem).optional(),
  insertLogs: z.array(copiedLog),
  deltaLogs: z.array(copiedLog),
});
export type SegmentReceipt = z.infer<typeof segmentReceipt>;

const mergedLog = z.object({ key: z.string(), size: z.number(), etag: z.string() });
/** A log that was put together, at the destination. */
export type MergedLog = z.infer<typeof mergedLog>;

/** What Copy Segments leaves in the work bucket for one batch. */
export const copyReceipt = z.object({
  batch: z.string(),
  outcome: z.enum(["copied", "source-changed", "cancelled"]),
  objects: z.number(),
  /** Bytes that lie at the destination, copied now or before. */
  bytes: z.number(),
  skippedObjects: z.number(),
  /** Objects whose content was to be compared and could not be; their sizes are right. */
  bySize: z.number().optional(),
  /** Of a verification: what was read, whatever came of it. */
  readObjects: z.number().optional(),
  readBytes: z.number().optional(),
  /** Of a batch that is merged: what lies in its directories, and nothing else. Its segments tell what it is of. */
  merged: z.array(mergedLog).optional(),
  /** How everything that was copied, or was there, is locked at the least. */
  lock: objectLock.optional(),
  segments: z.array(segmentReceipt),
});
export type CopyReceipt = z.infer<typeof copyReceipt>;

/** What the receipts of an execution come to; bytes are those at the destination, copied now or before. */
type CopyTotals = Pick<CopyReceipt, "objects" | "bytes" | "skippedObjects">;

export function noTotals(): CopyTotals {
  return { objects: 0, bytes: 0, skippedObjects: 0 };
}

export function addTotals(totals: CopyTotals, receipt: CopyTotals): void {
  totals.objects += receipt.objects;
  totals.bytes += receipt.bytes;
  totals.skippedObjects += receipt.skippedObjects;
}

/** The logs of a segment, insert logs first. */
export function logsOf({ insertLogs, deltaLogs }: Pick<SegmentReceipt, "insertLogs" | "deltaLogs">): CopiedLog[] {
  return [...insertLogs, ...deltaLogs];
}

/** Thresholds of one batch; small enough for a Lambda's 15 minutes, large enough that small segments share an invocation. */
export const batchLimits = {
  /** Over 1,000 small objects: two seconds of server-side copies, five of streamed ones. */
  segments: 200,
  /** Streamed at 50 MB/s this takes under 3 minutes. */
  bytes: 8 * 2 ** 30,
} as const;

/** Segments that are copied in one batch, or are among others in one. */
export interface CopyUnit {
  readonly segments: readonly CopySegment[];
  /** Estimated. */
  readonly bytes: number;
  /** Whether they are merged: a batch of their own. */
  readonly merged: boolean;
  readonly apart?: DeletesApart;
}

/**
 * Fewer are not worth an invocation more: they are copied in a second or two, and its process has to start, and to warm up. 375 segments
 * of 64 KiB, streamed: 10 invocations took 5.0 s on two cores, 3 of them 3.7 s, one 3.6 s.
 */
const worthwhileSegments = 200;

/** Segments to copy, held or passing by: how many they are is known before. */
export interface CountedSegments<T> {
  readonly count: number;
  readonly segments: AsyncIterable<T> | Iterable<T>;
}

/**
 * Puts segments into batches as they come: in order, at most `batchLimits` each, and spread so that a small plan still uses up to
 * `parallel` invocations when each gets at least `minimumSegments`. Holds one batch at a time.
 * @param sizeOf estimated bytes of a segment
 * @param options.bytes of one batch, where not `batchLimits`
 * @param options.isAlone of one that is a batch by itself
 */
export async function* planBatches<T>(
  { segments, count }: CountedSegments<T>,
  sizeOf: (segment: T) => number,
  options: { parallel: number; minimumSegments?: number; bytes?: number; isAlone?: (segment: T) => boolean },
): AsyncGenerator<T[]> {
  const minimum = options.minimumSegments ?? worthwhileSegments;
  const spread = Math.max(1, Math.min(options.parallel, Math.ceil(count / minimum)));
  const perBatch = Math.min(batchLimits.segments, Math.ceil(count / spread));
  let current: T[] = [];
  let bytes = 0;
  for await (const segment of segments) {
    if (options.isAlone?.(segment)) {
      yield [segment];
      continue;
    }
    const size = sizeOf(segment);
    if (current.length > 0 && (current.length >= perBatch || bytes + size > (options.bytes ?? batchLimits.bytes))) {
      yield current;
      current = [];
      bytes = 0;
    }
    current.push(segment);
    bytes += size;
  }
  if (current.length > 0) yield current;
}
