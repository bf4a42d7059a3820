import type { PrimaryKey } from "../../core/binlog/delete-entries.ts";
import type { RowField } from "../../core/binlog/row-fields.ts";
import type { DeletesApart } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { dataTypeName } from "../../core/milvus/data-types.ts";
import type { PayloadReader } from "../../ports/payload-reader.ts";
import { deletesIn } from "../rows/deletes.ts";
import type { OpenLog } from "../rows/field-log.ts";
import { rowKeys } from "../rows/segment-rows.ts";

/** What is kept of deletes: 80 bytes of memory each with an Int64 key, and the length of a text. A segment that brings more keeps its own directory. */
const mostDeletes = 2 ** 18;
const mostCharacters = 8 * 2 ** 20;

/** The logs of a segment that tell which rows it has and which of them are deleted, in the order of its rows. */
export interface KeyedSegment {
  readonly keys: readonly OpenLog[];
  readonly timestamps: readonly OpenLog[];
  readonly deletes: readonly OpenLog[];
}

/**
 * Which segments may not share a directory, in which the deletes of each meet the rows of all: those with a delete that would take a row of another segment
 * which that one's own deletes leave alive. Without them what is left of each segment is the same as in a directory of its own. Also those
 * of which that cannot be known: with deletes that nobody here can read, or too many for the memory, and all with deletes where keys of a segment
 * without cannot be read.
 * @returns their positions
 */
export function segmentsApart(
  segments: readonly KeyedSegment[],
  { primaryKey, byTime, until }: DeletesApart,
  payloads: PayloadReader,
): ReadonlySet<number> {
  const apart = new Set<number>();
  const field = fieldOf(primaryKey);
  const deletes = new SegmentDeletes(byTime, until === undefined ? undefined : BigInt(until));
  for (const [segment, { deletes: logs }] of segments.entries()) {
    const areKnown = isReadable(() => logs.every((log) => deletes.addAll(deletesIn(log, field, payloads), segment)));
    if (!areKnown) apart.add(segment);
  }
  const withDeletes = [...segments.keys()].filter((segment) => segments[segment]?.deletes.length !== 0);
  for (const [segment, { keys, timestamps }] of segments.entries()) {
    const areKnown = isReadable(() => {
      for (const [index, log] of keys.entries()) {
        const time = timestamps[index];
        if (time === undefined) return false;
        for (const { key, timestamp } of rowKeys({ keys: log, timestamps: time }, field, payloads)) {
          for (const other of deletes.othersThatTake({ key, timestamp, segment })) apart.add(other);
        }
      }
      return keys.length > 0;
    });
    if (areKnown) continue;
    for (const one of withDeletes.includes(segment) ? [segment] : withDeletes) apart.add(one);
  }
  return apart;
}

/** false also where what is read is no binlog of such keys: it is left to Milvus. */
function isReadable(read: () => boolean): boolean {
  try {
    return read();
  } catch (error) {
    if (error instanceof PipelineError && error.name === "CorruptBackup") return false;
    throw error;
  }
}

function fieldOf({ id, name, dataType }: DeletesApart["primaryKey"]): RowField {
  const type = dataTypeName(dataType);
  return { id: BigInt(id), name, type, dataType, isPrimaryKey: true, isDynamic: false, absent: undefined };
}

/** The deletes of several segments by their key: of each key and segment the latest that a server looks at, which takes the most rows. */
class SegmentDeletes {
  /** Otherwise a delete may take any row of its key, or only older ones: what the release tells is not enough to know which. */
  readonly #byTime: boolean;
  readonly #until: bigint | undefined;
  /** The newest entry of each key; each names the one before it, -1 where there is none. */
  readonly #last = new Map<PrimaryKey, number>();
  readonly #before = new Int32Array(mostDeletes);
  readonly #segments = new Int32Array(mostDeletes);
  readonly #timestamps = new BigUint64Array(mostDeletes);
  #size = 0;
  #characters = 0;

  constructor(byTime: boolean, until: bigint | undefined) {
    this.#byTime = byTime;
    this.#until = until;
  }

  /** @returns false where there is no room for all of them */
  addAll(deletes: Iterable<{ readonly key: PrimaryKey; readonly timestamp: bigint }>, segment: number): boolean {
    for (const { key, timestamp } of deletes) if (!this.#add(key, timestamp, segment)) return false;
    return true;
  }

  /** The segments beside its own that have a delete which takes a row; none where its own has one. */
  *othersThatTake(row: {
    readonly key: PrimaryKey;
    readonly timestamp: bigint;
    readonly segment: number;
  }): Generator<number> {
    const last = this.#last.get(row.key);
    if (last === undefined) return;
    const entries = [...this.#chain(last)];
    const isOwn = (entry: number) => this.#segments[entry] === row.segment;
    const timeOf = (entry: number) => this.#timestamps[entry] ?? 0n;
    // taken by its own whether or not times are held against each other
    if (entries.some((one) => isOwn(one) && timeOf(one) > row.timestamp && this.#isLookedAt(timeOf(one)))) return;
    for (const one of entries) {
      if (!isOwn(one) && (!this.#byTime || timeOf(one) > row.timestamp)) yield this.#segments[one] ?? -1;
    }
  }

  #add(key: PrimaryKey, timestamp: bigint, segment: number): boolean {
    const last = this.#last.get(key);
    for (const entry of this.#chain(last)) {
      if (this.#segments[entry] !== segment) continue;
      const known = this.#timestamps[entry] ?? 0n;
      const tellsMore = timestamp > known || !this.#isLookedAt(known);
      if (tellsMore && this.#isLookedAt(timestamp)) this.#timestamps[entry] = timestamp;
      return true;
    }
    if (last === undefined && typeof key === "string") this.#characters += key.length;
    if (this.#size >= mostDeletes || this.#characters > mostCharacters) return false;
    const entry = this.#size;
    this.#size += 1;
    this.#before[entry] = last ?? -1;
    this.#segments[entry] = segment;
    this.#timestamps[entry] = timestamp;
    this.#last.set(key, entry);
    return true;
  }

  *#chain(last: number | undefined): Generator<number> {
    for (let entry = last ?? -1; entry >= 0; entry = this.#before[entry] ?? -1) yield entry;
  }

  #isLookedAt(timestamp: bigint): boolean {
    return this.#until === undefined || timestamp <= this.#until;
  }
}
