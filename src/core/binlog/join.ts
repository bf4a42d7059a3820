import { corruptBinlog } from "./corrupt.ts";
import { type Binlog, frameOffsets, readBinlog } from "./frame.ts";

const { inFile, inEvent } = frameOffsets;

/** Positions in a binlog are signed 32-bit numbers. */
const longestBinlog = 0x7fffffff;

/** `schemapb.DataType` of texts: old releases wrote String, and whoever reads one reads the other. */
const textTypes: readonly number[] = [20, 21];

/** A log that was added. */
interface AddedLog {
  readonly object: string;
  readonly binlog: Binlog;
}

/**
 * Puts the binlogs of one field (or delta logs) together into one: a reader goes from event to event until the file ends, so it is the
 * descriptor of the first file and then the events of all. No payload is decoded or copied: what comes out are views of what was put in, and
 * headers, in which the positions are those of the new file. Its descriptor tells the times and the size of all.
 *
 * What Milvus 2.3.5 reads; measured with 80 binlogs a field, every row and vector equal.
 */
export class BinlogJoin {
  #first: AddedLog | undefined;
  #head: Uint8Array = new Uint8Array();
  readonly #events: Uint8Array[] = [];
  #size = 0;
  #from: bigint | undefined;
  #to = 0n;
  /** Of the values before they were compressed; undefined where one of the files does not tell. */
  #originalSize: bigint | undefined = 0n;

  /**
   * Adds the events of a log behind those that were added before. The bytes are used until the join is written.
   * @param object its key, for messages
   * @throws CorruptBackup that names object and offset where the frame is cut, an event is longer than the file, or the log is of another field, type
   *   or kind than those before it
   */
  add(bytes: Uint8Array, object: string): void {
    const added: AddedLog = { object, binlog: readBinlog(bytes, object) };
    if (this.#first === undefined) {
      this.#first = added;
      this.#head = bytes.subarray(0, endOfDescriptor(added.binlog, bytes));
      this.#size = this.#head.length;
    } else {
      checkAlike(this.#first, added);
    }
    this.#note(bytes);
    const { events } = added.binlog;
    for (const [index, { offset }] of events.entries()) {
      this.#add(bytes.subarray(offset, events[index + 1]?.offset ?? bytes.length), { object, offset });
    }
  }

  /** Bytes of the whole. */
  get size(): number {
    return this.#size + this.#sizeChange();
  }

  /** The whole, piece after piece. @throws RangeError where nothing was added */
  *pieces(): Generator<Uint8Array> {
    if (this.#first === undefined) throw new RangeError("a join of no binlogs");
    const head = this.#joinedHead();
    yield head;
    let position = head.length;
    for (const event of this.#events) {
      position += event.length;
      const header = Uint8Array.from(event.subarray(0, inEvent.afterHeader));
      viewOf(header).setInt32(inEvent.nextPosition, position, true);
      yield header;
      yield event.subarray(inEvent.afterHeader);
    }
  }

  #add(event: Uint8Array, place: { object: string; offset: number }): void {
    this.#size += event.length;
    // the descriptor may grow by the digits of a number
    if (this.#size > longestBinlog - 64) {
      throw corruptBinlog(place, `behind ${this.#size - event.length} bytes of others it does not fit into one binlog`);
    }
    this.#events.push(event);
  }

  #note(bytes: Uint8Array): void {
    const view = viewOf(bytes);
    const [from, to] = [view.getBigUint64(inFile.from, true), view.getBigUint64(inFile.to, true)];
    if (this.#from === undefined || from < this.#from) this.#from = from;
    if (to > this.#to) this.#to = to;
    const own = originalSizeOf(extraOf(bytes));
    this.#originalSize = own === undefined || this.#originalSize === undefined ? undefined : this.#originalSize + own;
  }

  #joinedHead(): Uint8Array {
    const extra = new TextEncoder().encode(this.#joinedExtra());
    const head = new Uint8Array(inFile.extra + extra.length);
    head.set(this.#head.subarray(0, inFile.extra));
    head.set(extra, inFile.extra);
    const view = viewOf(head);
    view.setInt32(inFile.descriptor + inEvent.length, head.length - inFile.descriptor, true);
    view.setInt32(inFile.descriptor + inEvent.nextPosition, head.length, true);
    view.setBigUint64(inFile.from, this.#from ?? 0n, true);
    view.setBigUint64(inFile.to, this.#to, true);
    view.setInt32(inFile.extraSize, extra.length, true);
    return head;
  }

  #joinedExtra(): string {
    const extra = extraOf(this.#head);
    const size = this.#originalSize;
    return size === undefined ? extra : extra.replace(originalSize, (_, before: string) => `${before}${size}`);
  }

  #sizeChange(): number {
    if (this.#first === undefined) return 0;
    return inFile.extra + new TextEncoder().encode(this.#joinedExtra()).length - this.#head.length;
  }
}

const originalSize = /("original_size"\s*:\s*"?)(\d+)/;

function originalSizeOf(extra: string): bigint | undefined {
  const digits = originalSize.exec(extra)?.[2];
  return digits === undefined ? undefined : BigInt(digits);
}

/** The descriptor's JSON of a binlog whose frame was read. */
function extraOf(bytes: Uint8Array): string {
  const size = viewOf(bytes).getInt32(inFile.extraSize, true);
  return new TextDecoder().decode(bytes.subarray(inFile.extra, inFile.extra + size));
}

function endOfDescriptor({ events }: Binlog, bytes: Uint8Array): number {
  return events[0]?.offset ?? bytes.length;
}

/** Of one field, one type and one kind. @throws CorruptBackup */
function checkAlike(first: AddedLog, { object, binlog }: AddedLog): void {
  const [known, found] = [first.binlog.descriptor, binlog.descriptor];
  const differ = (what: string, is: unknown, other: unknown) =>
    corruptBinlog({ object, offset: inFile.descriptor }, `it is of ${what} ${is}, and ${first.object} of ${other}`);
  if (found.fieldId !== known.fieldId) throw differ("field", found.fieldId, known.fieldId);
  const areTexts = textTypes.includes(found.dataType) && textTypes.includes(known.dataType);
  if (found.dataType !== known.dataType && !areTexts) throw differ("data type", found.dataType, known.dataType);
  const layout = ({ multiField }: typeof found) => (multiField ? "columns" : "lines");
  if (found.multiField !== known.multiField) throw differ("a layout in", layout(found), layout(known));
  const kind = first.binlog.events[0]?.type;
  const other = binlog.events.find(({ type }) => kind !== undefined && type !== kind);
  if (other) {
    throw corruptBinlog(
      { object, offset: other.offset },
      `an event of kind ${other.type} behind those of kind ${kind} in ${first.object}`,
    );
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
