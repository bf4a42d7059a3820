import { parseJson } from "../format/lossless-json.ts";
import { corruptBinlog } from "./corrupt.ts";

/**
 * The frame of a binlog (Milvus's `internal/storage`: `binlog_writer.go`, `event_header.go`, `event_data.go`): a magic number, a descriptor
 * event, then events with a Parquet payload each, until the file ends. Everything is little endian. Nothing is decoded or copied here: a
 * payload is a view of the file's bytes.
 */
export interface Binlog {
  readonly descriptor: BinlogDescriptor;
  readonly events: readonly BinlogEvent[];
}

/** What a binlog says of itself. */
interface BinlogDescriptor {
  readonly collectionId: bigint;
  readonly partitionId: bigint;
  readonly segmentId: bigint;
  /** -1 in delta logs. */
  readonly fieldId: bigint;
  /** Milvus's number of the type of the values. */
  readonly dataType: number;
  /** A delta log (2.5+) with one column for keys and one for timestamps, in place of lines of JSON. */
  readonly multiField: boolean;
}

interface BinlogEvent {
  /** Of its header, in bytes from the start of the file. */
  readonly offset: number;
  readonly type: "insert" | "delete";
  /** A whole Parquet file. */
  readonly payload: Uint8Array;
}

const magic = 0xfffabc;
const magicBytes = 4;
/** timestamp uint64, type int8, length int32, next position int32. */
const headerBytes = 17;
const lengthOffset = 9;
const nextPositionOffset = 13;
const typeOffset = 8;
/** Start and end timestamp of an event, before its payload. */
const eventDataBytes = 16;
/** Four IDs, two timestamps and the data type. */
const descriptorFixedBytes = 52;
/** Lengths of the fixed part of each type of event. */
const postHeaderBytes = 8;
const descriptorType = 0;
/** Milvus writes some hundred bytes of it. */
const mostExtraBytes = 2 ** 20;

/** Offsets of what is written anew where binlogs are put together: in a file, and in an event. */
export const frameOffsets = {
  inFile: {
    descriptor: magicBytes,
    /** The times of its rows or deletes. */
    from: magicBytes + headerBytes + 32,
    to: magicBytes + headerBytes + 40,
    extraSize: magicBytes + headerBytes + descriptorFixedBytes + postHeaderBytes,
    extra: magicBytes + headerBytes + descriptorFixedBytes + postHeaderBytes + 4,
  },
  inEvent: { length: lengthOffset, nextPosition: nextPositionOffset, afterHeader: headerBytes },
} as const;
const eventTypes: Readonly<Record<number, BinlogEvent["type"]>> = { 1: "insert", 2: "delete" };

/**
 * Takes a binlog apart.
 * @param object its key, for messages
 * @throws CorruptBackup that names object and offset where the frame is cut, an event is longer than the file or not of rows or deletes, or
 *   where the payloads are encrypted
 */
export function readBinlog(bytes: Uint8Array, object: string): Binlog {
  const frame = new Frame(bytes, object);
  frame.need(0, magicBytes, "the magic number");
  const found = frame.view.getInt32(0, true);
  if (found !== magic) {
    throw frame.corrupt(0, `no binlog begins with 0x${(found >>> 0).toString(16)}${parquetHint(found)}`);
  }
  const first = frame.event(magicBytes);
  if (first.type !== descriptorType) {
    throw frame.corrupt(magicBytes, `the first event is of type ${first.type}, not a descriptor`);
  }
  const descriptor = readDescriptor(frame, magicBytes + headerBytes, first.end);
  const events: BinlogEvent[] = [];
  // The position of the next event is written too, but Milvus itself goes by the lengths.
  for (let offset = first.end; offset < bytes.length; ) {
    const { type, end } = frame.event(offset);
    const known = eventTypes[type];
    if (known === undefined) throw frame.corrupt(offset, `an event of type ${type}: neither rows nor deletes`);
    const payload = offset + headerBytes + eventDataBytes;
    if (payload > end) throw frame.corrupt(offset, `an event of ${end - offset} bytes has no room for its timestamps`);
    events.push(new FrameEvent(bytes, { offset, type: known, end }));
    offset = end;
  }
  return { descriptor, events };
}

/** A few words of memory: a file may have millions of events. */
class FrameEvent implements BinlogEvent {
  readonly offset: number;
  readonly type: BinlogEvent["type"];
  readonly #bytes: Uint8Array;
  readonly #end: number;

  constructor(
    bytes: Uint8Array,
    { offset, type, end }: Pick<BinlogEvent, "offset" | "type"> & { readonly end: number },
  ) {
    this.offset = offset;
    this.type = type;
    this.#bytes = bytes;
    this.#end = end;
  }

  get payload(): Uint8Array {
    return this.#bytes.subarray(this.offset + headerBytes + eventDataBytes, this.#end);
  }
}

class Frame {
  readonly view: DataView;
  readonly #object: string;

  constructor(bytes: Uint8Array, object: string) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#object = object;
  }

  corrupt(offset: number, reason: string, cause?: unknown): Error {
    return corruptBinlog({ object: this.#object, offset }, reason, cause);
  }

  need(offset: number, size: number, what: string, end = this.view.byteLength): void {
    if (offset + size > end) {
      throw this.corrupt(offset, `cut off: ${what} takes ${size} bytes, and ${Math.max(0, end - offset)} are left`);
    }
  }

  /** @returns the type and where the event ends */
  event(offset: number): { type: number; end: number } {
    this.need(offset, headerBytes, "an event's header");
    const length = this.view.getInt32(offset + lengthOffset, true);
    if (length < headerBytes) throw this.corrupt(offset, `an event of ${length} bytes, less than its header`);
    this.need(offset, length, "the event");
    return { type: this.view.getInt8(offset + typeOffset), end: offset + length };
  }
}

function readDescriptor(frame: Frame, offset: number, end: number): BinlogDescriptor {
  const { view } = frame;
  const extraAt = offset + descriptorFixedBytes + postHeaderBytes;
  frame.need(offset, descriptorFixedBytes + postHeaderBytes + 4, "the descriptor", end);
  const extraBytes = view.getInt32(extraAt, true);
  if (extraBytes < 0 || extraBytes > mostExtraBytes)
    throw frame.corrupt(extraAt, `a descriptor with ${extraBytes} bytes of JSON`);
  frame.need(extraAt + 4, extraBytes, "the descriptor's JSON", end);
  const extra = readExtra(frame, extraAt + 4, extraBytes);
  if (extra.edek !== undefined || extra.encryption_zone !== undefined) {
    throw frame.corrupt(offset, "its payloads are encrypted with a key of Milvus's, without which they cannot be read");
  }
  return {
    collectionId: view.getBigInt64(offset, true),
    partitionId: view.getBigInt64(offset + 8, true),
    segmentId: view.getBigInt64(offset + 16, true),
    fieldId: view.getBigInt64(offset + 24, true),
    dataType: view.getInt32(offset + 48, true),
    multiField: extra.version === "MULTI_FIELD",
  };
}

function readExtra(frame: Frame, offset: number, size: number): Readonly<Record<string, unknown>> {
  if (size === 0) return {};
  const { buffer, byteOffset } = frame.view;
  let json: unknown;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(buffer, byteOffset + offset, size));
    json = parseJson(text, "extra");
  } catch (cause) {
    throw frame.corrupt(offset, "the descriptor's JSON cannot be read", cause);
  }
  if (typeof json !== "object" || json === null) throw frame.corrupt(offset, "the descriptor's JSON is no object");
  return { ...json };
}

/** `PAR1`: what storage version 2 of Milvus 2.6 writes. */
function parquetHint(found: number): string {
  return found === 0x31524150 ? " (it is Parquet without a frame: storage version 2, which is not read yet)" : "";
}
