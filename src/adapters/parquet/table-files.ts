import {
  Bool,
  type Data,
  type DataType,
  Field,
  FixedSizeBinary,
  FixedSizeList,
  Float32,
  Float64,
  Int8,
  Int16,
  Int32,
  Int64,
  List,
  makeBuilder,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableToIPC,
  Uint32,
  Utf8,
} from "apache-arrow";
import { Compression, Table as WasmTable, WriterPropertiesBuilder, writeParquet } from "parquet-wasm";
import type { RowField } from "../../core/binlog/row-fields.ts";
import {
  type ColumnType,
  cellOf,
  columnType,
  type ScalarColumn,
  type TableFile,
  type TableRow,
} from "../../core/binlog/table-file.ts";
import type { TableFiles } from "../../ports/table-files.ts";

/**
 * Writes Parquet with the arrow-rs of `parquet-wasm`, and Arrow's IPC format (its file format, also called Feather). In memory are the columns, and
 * while a file is finished up to three copies of them more.
 */
export const tableFiles: TableFiles = {
  open: (format, fields) => new ArrowFile(format, fields),
};

class ArrowFile implements TableFile {
  readonly #format: "parquet" | "arrow";
  readonly #columns: readonly { readonly field: RowField; readonly type: ColumnType; readonly cells: Cells }[];
  rows = 0;
  bytes = 0;

  constructor(format: "parquet" | "arrow", fields: readonly RowField[]) {
    this.#format = format;
    this.#columns = fields.flatMap((field) => {
      const type = columnType(field);
      return type ? [{ field, type, cells: cellsOf(type) }] : [];
    });
  }

  add(row: TableRow): void {
    for (const { field, type, cells } of this.#columns) {
      const cell = cellOf(row, field, type);
      cells.add(cell);
      this.bytes += sizeOf(cell);
    }
    this.rows += 1;
  }

  finish(): Uint8Array {
    const children = this.#columns.map(({ cells }) => cells.finish());
    const schema = new Schema(this.#columns.map(({ field, cells }) => arrowField(field, cells.type)));
    const struct = makeData({ type: new Struct(schema.fields), length: this.rows, nullCount: 0, children });
    const table = new Table(schema, [new RecordBatch(schema, struct)]);
    if (this.#format === "arrow") return tableToIPC(table, "file");
    const properties = new WriterPropertiesBuilder().setCompression(Compression.ZSTD).setCreatedBy("milvus-backup");
    return writeParquet(WasmTable.fromIPCStream(tableToIPC(table, "stream")), properties.build());
  }
}

/** What Milvus calls the type goes along: readers show it, and none needs it. */
function arrowField({ name, type, elementType, isPrimaryKey }: RowField, arrowType: DataType): Field {
  const told = elementType === undefined ? type : `${type} of ${elementType}`;
  return new Field(name, arrowType, true, new Map([["milvus.type", told], ...(isPrimaryKey ? [primaryKey] : [])]));
}

const primaryKey = ["milvus.primary_key", "true"] as const;

/** The cells of one column. */
interface Cells {
  readonly type: DataType;
  add(cell: unknown): void;
  finish(): Data;
}

const scalarTypes: Readonly<Record<ScalarColumn, () => DataType>> = {
  bool: () => new Bool(),
  int8: () => new Int8(),
  int16: () => new Int16(),
  int32: () => new Int32(),
  int64: () => new Int64(),
  float32: () => new Float32(),
  float64: () => new Float64(),
  text: () => new Utf8(),
};

function cellsOf(type: ColumnType): Cells {
  switch (type.kind) {
    case "scalar":
      return built(scalarTypes[type.of]());
    case "list":
      return built(new List(new Field("item", scalarTypes[type.of](), true)));
    case "sparse":
      return built(new List(new Field("item", new Struct([new Field("index", new Uint32(), false), value]), false)));
    case "bytes":
      return new FixedCells(new FixedSizeBinary(type.length), type.length, undefined);
    case "vector": {
      const element = type.of === "float32" ? new Float32() : new Int8();
      const list = new FixedSizeList(type.length, new Field("item", element, false));
      return new FixedCells(list, type.length * (type.of === "float32" ? 4 : 1), element);
    }
  }
}

const value = new Field("value", new Float32(), false);

/** By Arrow's own builders. */
function built(type: DataType): Cells {
  const builder = makeBuilder({ type, nullValues: [null] });
  return {
    type,
    add: (cell) => void builder.append(cell),
    finish: () => builder.finish().flush(),
  };
}

/** Cells of one size, which are copied as they are: Arrow's builder of lists takes them number by number. */
class FixedCells implements Cells {
  readonly type: DataType;
  readonly #size: number;
  readonly #element: Float32 | Int8 | undefined;
  #bytes = new Uint8Array(0);
  #valid = new Uint8Array(0);
  #rows = 0;
  #nulls = 0;

  /** @param element of a list; undefined for bytes */
  constructor(type: DataType, size: number, element: Float32 | Int8 | undefined) {
    this.type = type;
    this.#size = size;
    this.#element = element;
  }

  add(cell: unknown): void {
    const row = this.#rows;
    this.#rows += 1;
    this.#bytes = withRoom(this.#bytes, this.#rows * this.#size);
    this.#valid = withRoom(this.#valid, (row >> 3) + 1);
    if (cell instanceof Uint8Array) {
      this.#bytes.set(cell, row * this.#size);
      this.#valid[row >> 3] = (this.#valid[row >> 3] ?? 0) | (1 << (row & 7));
    } else {
      this.#nulls += 1;
    }
  }

  finish(): Data {
    const bytes = this.#bytes.subarray(0, this.#rows * this.#size);
    const common = {
      length: this.#rows,
      nullCount: this.#nulls,
      nullBitmap: this.#nulls > 0 ? this.#valid : undefined,
    };
    if (this.#element === undefined) {
      return makeData({ ...common, type: this.type as FixedSizeBinary, data: bytes });
    }
    const child =
      this.#element instanceof Float32
        ? makeData({ type: this.#element, data: new Float32Array(bytes.buffer, 0, bytes.length / 4) })
        : makeData({ type: this.#element, data: new Int8Array(bytes.buffer, 0, bytes.length) });
    return makeData({ ...common, type: this.type as FixedSizeList, child });
  }
}

function withRoom(bytes: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  if (size <= bytes.length) return bytes;
  const grown = new Uint8Array(Math.max(size, bytes.length * 2, 64));
  grown.set(bytes);
  return grown;
}

/** What a cell takes, about. */
function sizeOf(cell: unknown): number {
  if (typeof cell === "string" || cell instanceof Uint8Array) return cell.length + 4;
  return Array.isArray(cell) ? cell.length * 8 + 4 : 8;
}
