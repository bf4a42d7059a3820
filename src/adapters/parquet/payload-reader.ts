import { Binary, DataType, type Field, LargeBinary, Precision, tableFromIPC, Vector } from "apache-arrow";
import { readParquet } from "parquet-wasm";
import type { StoredColumn, StoredType, StoredValue } from "../../core/binlog/stored-column.ts";
import type { PayloadReader, PayloadWindow } from "../../ports/payload-reader.ts";
import { largestPage } from "./page-sizes.ts";

/** Milvus writes pages of 1 MiB and a batch of 1,024 values: 129 MiB with the longest vectors. A larger page holds a value that is none. */
const largestPageBytes = 192 * 2 ** 20;

/** Payloads whose pages were looked at: they are read window by window. */
const checked = new WeakSet<Uint8Array>();

/**
 * Reads Parquet with the arrow-rs of `parquet-wasm`. The call is synchronous on purpose: where a broken file makes the Rust code panic, the
 * asynchronous readers of that package end the process, this one throws. The memory of the WebAssembly instance holds a payload and a
 * window of its rows at a time, and has 4 GiB at most; a page is decompressed whole, and none that says it is larger than Milvus writes any.
 */
export const parquetPayloads: PayloadReader = {
  read(payload, { offset, rows }): PayloadWindow {
    checkPages(payload);
    const stream = withoutPanicTrace(() =>
      readParquet(payload, { offset, limit: rows, batchSize: rows }).intoIPCStream(),
    );
    const table = tableFromIPC(stream);
    const columns = table.schema.fields.map((field, index) => storedColumn(field, table.getChildAt(index)));
    return { columns, rows: table.numRows, bytes: stream.length };
  },
};

/** @throws RangeError before a page is decompressed that takes more memory than any of Milvus's */
function checkPages(payload: Uint8Array): void {
  if (checked.has(payload)) return;
  const largest = largestPage(payload);
  if (largest > largestPageBytes) {
    throw new RangeError(`a page takes ${largest} bytes, and Milvus writes none of more than ${largestPageBytes}`);
  }
  checked.add(payload);
}

function storedColumn({ type, name }: Field, values: Vector | null): StoredColumn {
  if (values === null) throw new TypeError(`the column ${name} has no values`);
  return {
    type: storedType(type),
    typeName: String(type),
    ...(DataType.isFixedSizeBinary(type) && { fixedBytes: type.byteWidth }),
    length: values.length,
    at: storedType(type) === "text" ? textsOf(values) : (row) => values.get(row) as StoredValue | null,
  };
}

/** Arrow decodes a text without the byte order mark that it begins with: it would be another value, or another key. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function textsOf(values: Vector): StoredColumn["at"] {
  const type = DataType.isLargeUtf8(values.type) ? new LargeBinary() : new Binary();
  const stored = new Vector<Binary | LargeBinary>(values.data.map((data) => data.clone(type)));
  return (row) => {
    const bytes = stored.get(row);
    return bytes === null ? null : utf8.decode(bytes);
  };
}

function storedType(type: DataType): StoredType | undefined {
  if (DataType.isBool(type)) return "bool";
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type)) return "text";
  if (DataType.isBinary(type) || DataType.isLargeBinary(type) || DataType.isFixedSizeBinary(type)) return "bytes";
  if (DataType.isInt(type) && type.isSigned) return `int${type.bitWidth}`;
  if (!DataType.isFloat(type)) return undefined;
  if (type.precision === Precision.SINGLE) return "float32";
  return type.precision === Precision.DOUBLE ? "float64" : undefined;
}

/** A panic of the Rust code is printed with console.error before it is thrown; who calls says it better. */
function withoutPanicTrace<T>(call: () => T): T {
  const print = console.error;
  console.error = () => {};
  try {
    return call();
  } finally {
    console.error = print;
  }
}
