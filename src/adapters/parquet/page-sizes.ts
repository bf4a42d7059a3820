/**
 * How large the pages of a Parquet file are decompressed, by what they say of themselves: the footer (`FileMetaData`) and the headers of pages
 * (`PageHeader`) are Thrift messages in the compact protocol (parquet.thrift of the Parquet format). Whoever decodes a page takes that much memory,
 * however small the file.
 */

const magicBytes = 4;
const footerLengthBytes = 4;

/** Field numbers of parquet.thrift. */
const fields = {
  fileMetaData: { rowGroups: 4 },
  rowGroup: { columns: 1 },
  columnChunk: { metaData: 3 },
  columnMetaData: { compressedSize: 7, dataPageOffset: 9, dictionaryPageOffset: 11 },
  pageHeader: { uncompressedSize: 2, compressedSize: 3 },
} as const;

/** Where the pages of a column lie. */
interface ColumnChunk {
  readonly start: number;
  readonly end: number;
}

/**
 * @returns bytes of the largest page; 0 where the file cannot be taken apart, which whoever decodes it finds too
 */
export function largestPage(parquet: Uint8Array): number {
  let largest = 0;
  try {
    for (const { start, end } of columnChunks(parquet)) {
      for (let at = start; at < end; ) {
        const reader = new CompactReader(parquet, at);
        const header = reader.numbers();
        const compressed = header.get(fields.pageHeader.compressedSize) ?? -1;
        if (compressed < 0) return largest;
        largest = Math.max(largest, header.get(fields.pageHeader.uncompressedSize) ?? 0);
        at = reader.at + compressed;
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return largest;
}

function* columnChunks(parquet: Uint8Array): Generator<ColumnChunk> {
  const view = new DataView(parquet.buffer, parquet.byteOffset, parquet.byteLength);
  const lengthAt = parquet.length - magicBytes - footerLengthBytes;
  const footer = new CompactReader(parquet, lengthAt - view.getUint32(lengthAt, true));
  for (const file of footer.structs()) {
    if (file !== fields.fileMetaData.rowGroups) continue;
    for (const _group of footer.items()) {
      for (const group of footer.structs()) {
        if (group !== fields.rowGroup.columns) continue;
        for (const _column of footer.items()) {
          for (const column of footer.structs()) if (column === fields.columnChunk.metaData) yield chunkOf(footer);
        }
      }
    }
  }
}

function chunkOf(reader: CompactReader): ColumnChunk {
  const meta = reader.numbers();
  const { compressedSize, dataPageOffset, dictionaryPageOffset } = fields.columnMetaData;
  const starts = [meta.get(dataPageOffset) ?? 0, meta.get(dictionaryPageOffset) ?? 0].filter((offset) => offset > 0);
  const start = Math.min(...starts);
  return { start, end: start + (meta.get(compressedSize) ?? 0) };
}

const types = {
  stop: 0,
  yes: 1,
  no: 2,
  byte: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  binary: 8,
  list: 9,
  set: 10,
  map: 11,
  struct: 12,
};
/** Deeper than any message of Parquet: one that is nested further is none. */
const deepest = 32;

/** Reads Thrift's compact protocol; every step is within the bytes, and forward. */
class CompactReader {
  readonly #bytes: Uint8Array;
  #at: number;
  /** Type of the value that comes next. */
  #type = types.struct;

  /** @throws RangeError where it would begin outside of the bytes */
  constructor(bytes: Uint8Array, at: number) {
    if (!Number.isSafeInteger(at) || at < 0 || at >= bytes.length) throw new RangeError("outside of the file");
    this.#bytes = bytes;
    this.#at = at;
  }

  get at(): number {
    return this.#at;
  }

  /** The field numbers of a struct; of each the caller reads the value, or it is stepped over. */
  *structs(): Generator<number> {
    for (let field = 0; ; ) {
      const head = this.#byte();
      const type = head & 0x0f;
      if (type === types.stop) return;
      field = head >> 4 === 0 ? zigzag(this.#varint()) : field + (head >> 4);
      this.#type = type;
      const before = this.#at;
      yield field;
      if (this.#at === before) this.#skip(type, 0);
    }
  }

  /** As often as the list has items; of each the caller reads the struct. */
  *items(): Generator<number> {
    const head = this.#byte();
    const count = head >> 4 === 15 ? this.#varint() : head >> 4;
    this.#type = head & 0x0f;
    for (let item = 0; item < count; item += 1) yield item;
  }

  /** The whole numbers of a struct by their fields; the others are stepped over. */
  numbers(): Map<number, number> {
    const found = new Map<number, number>();
    for (const field of this.structs()) {
      if (this.#type === types.i32 || this.#type === types.i64) found.set(field, zigzag(this.#varint()));
    }
    return found;
  }

  #skip(type: number, depth: number): void {
    if (depth > deepest) throw new RangeError("nested too deeply");
    if (type === types.yes || type === types.no) return;
    if (type === types.byte) this.#take(1);
    else if (type === types.i16 || type === types.i32 || type === types.i64) this.#varint();
    else if (type === types.double) this.#take(8);
    else if (type === types.binary) this.#take(this.#varint());
    else if (type === types.list || type === types.set) this.#skipList(depth);
    else if (type === types.struct) this.#skipStruct(depth);
    else throw new RangeError(`a value of type ${type}`);
  }

  #skipStruct(depth: number): void {
    for (;;) {
      const head = this.#byte();
      if ((head & 0x0f) === types.stop) return;
      if (head >> 4 === 0) this.#varint();
      this.#skip(head & 0x0f, depth + 1);
    }
  }

  #skipList(depth: number): void {
    const head = this.#byte();
    const count = head >> 4 === 15 ? this.#varint() : head >> 4;
    const type = head & 0x0f;
    // a flag in a list is a byte
    const one = type === types.yes || type === types.no ? types.byte : type;
    for (let item = 0; item < count; item += 1) this.#skip(one, depth + 1);
  }

  #varint(): number {
    let value = 0;
    for (let factor = 1; factor < 2 ** 63; factor *= 128) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw new RangeError("a number of more than nine bytes");
  }

  #byte(): number {
    this.#take(1);
    return this.#bytes[this.#at - 1] ?? 0;
  }

  #take(size: number): void {
    if (this.#at + size > this.#bytes.length) throw new RangeError("cut off");
    this.#at += size;
  }
}

function zigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
