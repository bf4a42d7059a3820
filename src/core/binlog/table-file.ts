import type { RowField } from "./row-fields.ts";
import type { StoredValue } from "./stored-column.ts";
import { isReadable } from "./values.ts";
import { bfloat16Vector, float16Vector, sparsePairBytes } from "./vectors.ts";

/** A row that goes into a file: a `StoredRow` of steps/rows. */
export interface TableRow {
  /** @throws CorruptBackup where it is no value of the field's type */
  value(field: RowField): unknown;
  stored(field: RowField): StoredValue | null;
}

/** One file of an export on its way: rows are added until it is large enough. */
export interface TableFile {
  readonly rows: number;
  /** What its rows take in memory, about; not the size of the file. */
  readonly bytes: number;
  /** @throws CorruptBackup where a value is none of its field's type */
  add(row: TableRow): void;
  /** The whole file. Nothing is added behind it. */
  finish(): Uint8Array;
}

/** What a column of single values, or of lists of them, holds. */
export type ScalarColumn = "bool" | "int8" | "int16" | "int32" | "int64" | "float32" | "float64" | "text";

/** How a field is stored in a table. */
export type ColumnType =
  | { readonly kind: "scalar" | "list"; readonly of: ScalarColumn }
  /** Fixed-size lists. */
  | { readonly kind: "vector"; readonly of: "float32" | "int8"; readonly length: number }
  /** Fixed-size binary. */
  | { readonly kind: "bytes"; readonly length: number }
  /** Lists of an index (uint32) and a value (float32). */
  | { readonly kind: "sparse" };

const scalars: Readonly<Record<string, ScalarColumn>> = {
  Bool: "bool",
  Int8: "int8",
  Int16: "int16",
  Int32: "int32",
  Int64: "int64",
  Float: "float32",
  Double: "float64",
  VarChar: "text",
  JSON: "text",
};

/** Of numbers that Parquet and Arrow readers do not all have: they become what holds each of them exactly. */
const widened: ReadonlySet<string> = new Set(["Float16Vector", "BFloat16Vector"]);

/** undefined for a field whose values are not read: it is left out, and said so. */
export function columnType(field: RowField): ColumnType | undefined {
  if (!isReadable(field)) return undefined;
  const scalar = scalars[field.type];
  if (scalar) return { kind: "scalar", of: scalar };
  if (field.type === "SparseFloatVector") return { kind: "sparse" };
  if (field.type === "Array") {
    const element = scalars[field.elementType ?? ""];
    return element && field.elementType !== "JSON" ? { kind: "list", of: element } : undefined;
  }
  if (field.dim === undefined) return undefined;
  if (field.type === "BinaryVector") return { kind: "bytes", length: field.dim / 8 };
  return { kind: "vector", of: field.type === "Int8Vector" ? "int8" : "float32", length: field.dim };
}

/** As people read it: `fixed_size_list<float32>[128]`. */
export function tellColumnType(type: ColumnType): string {
  switch (type.kind) {
    case "scalar":
      return type.of;
    case "list":
      return `list<${type.of}>`;
    case "vector":
      return `fixed_size_list<${type.of}>[${type.length}]`;
    case "bytes":
      return `fixed_size_binary[${type.length}]`;
    case "sparse":
      return "list<struct<index: uint32, value: float32>>";
  }
}

/** Whether a field's numbers are stored in a larger type than Milvus has. */
export function isWidened({ type }: Pick<RowField, "type">): boolean {
  return widened.has(type);
}

/**
 * What a row has in a column: scalars and lists as `fieldValue` answers them, JSON as the text that was written, vectors as the bytes of their
 * elements (little endian), a sparse one as pairs in the order in which they are stored; null for none.
 * @throws CorruptBackup where it is no value of the field's type
 */
export function cellOf(row: TableRow, field: RowField, type: ColumnType): unknown {
  const stored = row.stored(field);
  if (stored === null) return null;
  if (field.type === "JSON") return jsonText(row, field, stored);
  if (!(stored instanceof Uint8Array) || type.kind === "list") return row.value(field);
  if (isWidened(field)) {
    // the length is looked at where the value is decoded
    if (stored.length !== 2 * (field.dim ?? 0)) return row.value(field);
    const numbers = field.type === "Float16Vector" ? float16Vector(stored) : bfloat16Vector(stored);
    return new Uint8Array(new Float32Array(numbers).buffer);
  }
  if (type.kind === "sparse") return stored.length % sparsePairBytes === 0 ? sparsePairs(stored) : row.value(field);
  if (type.kind === "vector" || type.kind === "bytes") {
    const size = type.kind === "bytes" ? type.length : type.length * (type.of === "float32" ? 4 : 1);
    // of another length it would shift every vector behind it: looking at the value throws what names the object
    return stored.length === size ? stored : row.value(field);
  }
  return row.value(field);
}

function jsonText(row: TableRow, field: RowField, stored: StoredValue): unknown {
  if (typeof stored === "string") return stored;
  if (!(stored instanceof Uint8Array)) return row.value(field);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(stored);
  } catch {
    // throws what names the object
    return row.value(field);
  }
}

function sparsePairs(bytes: Uint8Array): { index: number; value: number }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / sparsePairBytes }, (_, pair) => {
    const at = pair * sparsePairBytes;
    return { index: view.getUint32(at, true), value: view.getFloat32(at + 4, true) };
  });
}
