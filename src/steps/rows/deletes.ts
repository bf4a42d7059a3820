import { corruptBinlog } from "../../core/binlog/corrupt.ts";
import { type DeleteEntry, deleteEntries, type PrimaryKey } from "../../core/binlog/delete-entries.ts";
import type { RowField } from "../../core/binlog/row-fields.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { BackupLayout } from "../../core/format/layout.ts";
import type { SegmentBackup } from "../../core/format/meta.ts";
import { logName, segmentPath } from "../../core/plan/segment-copies.ts";
import type { PayloadReader } from "../../ports/payload-reader.ts";
import { type LogStore, type OpenLog, openLog, payloadWindows } from "./field-log.ts";

/** A JavaScript Map takes 2^24 entries. */
const keysPerMap = 2 ** 23;

/**
 * The latest delete of each key. A delete takes the rows of its key that are older than it, never one of the same timestamp: an upsert is a
 * delete and an insert with one timestamp (Milvus's compactors: "here should be < instead of <="; segcore's `get_deleted_bitmap`). Milvus
 * 2.2 and 2.3 import otherwise: there a delete in a segment's own delta log takes every row of its key in that segment.
 *
 * About 60 MB of memory for a million Int64 keys; keys of text take their length more.
 */
export class Deletes {
  readonly #maps: Map<PrimaryKey, bigint>[] = [new Map()];
  readonly #most: number;

  /** @param most keys, where memory is bounded */
  constructor(most = Number.POSITIVE_INFINITY) {
    this.#most = most;
  }

  get size(): number {
    return this.#maps.reduce((sum, { size }) => sum + size, 0);
  }

  /** @throws UnsupportedData where that would be more keys than may be held */
  add(key: PrimaryKey, timestamp: bigint): void {
    const map = this.#maps.find((candidate) => candidate.has(key)) ?? this.#room();
    const known = map.get(key);
    if (known === undefined || known < timestamp) map.set(key, timestamp);
  }

  /** @param timestamp of a row of that key */
  covers(key: PrimaryKey, timestamp: bigint): boolean {
    return this.#maps.some((map) => {
      const deleted = map.get(key);
      return deleted !== undefined && timestamp < deleted;
    });
  }

  #room(): Map<PrimaryKey, bigint> {
    if (this.size >= this.#most) throw tooMany(this.#most);
    const last = this.#maps.at(-1);
    if (last !== undefined && last.size < keysPerMap) return last;
    const next = new Map<PrimaryKey, bigint>();
    this.#maps.push(next);
    return next;
  }
}

function tooMany(most: number): PipelineError {
  return new PipelineError(
    "UnsupportedData",
    `more than ${most} keys have deletes that one segment has to be compared with, and no more are held in memory: compact the collection ` +
      "in Milvus and back it up again, or restore the backup",
  );
}

/** Where delta logs are read from, and what their keys must be. */
export interface DeltaSource {
  readonly store: LogStore;
  readonly layout: Pick<BackupLayout, "insertLogs" | "deltaLogs">;
  readonly payloads: PayloadReader;
  readonly primaryKey: RowField;
  /** Hybrid: what was deleted later is not looked at. undefined: everything counts. */
  readonly until: bigint | undefined;
}

/**
 * Adds the deletes of a segment's delta logs, one log in memory at a time.
 * @throws CorruptBackup where a log is missing or broken, and what the store throws
 */
export async function addDeletes(deletes: Deletes, segment: SegmentBackup, source: DeltaSource): Promise<void> {
  const directory = source.layout.deltaLogs(segmentPath(segment));
  const { primaryKey, payloads, until } = source;
  for (const log of segment.deltalogs.flatMap(({ binlogs }) => binlogs)) {
    const open = await openLog(source.store, `${directory}${logName(log)}`);
    for (const { key, timestamp } of deletesIn(open, primaryKey, payloads)) {
      if (until === undefined || timestamp <= until) deletes.add(key, timestamp);
    }
  }
}

/** The deletes of a delta log, a window of it decoded. @throws CorruptBackup where it is broken, or none of such keys */
export function* deletesIn(open: OpenLog, primaryKey: RowField, payloads: PayloadReader): Generator<DeleteEntry> {
  const { object, binlog } = open;
  if (binlog.events.some(({ type }) => type !== "delete")) {
    throw corruptBinlog({ object, offset: 0 }, "a delta log that holds rows");
  }
  const { multiField } = binlog.descriptor;
  for (const { window, offset } of payloadWindows(open, payloads)) {
    yield* deleteEntries(window.columns, { primaryKey, multiField, place: { object, offset } });
  }
}
