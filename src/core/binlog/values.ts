import { parseJson } from "../format/lossless-json.ts";
import { type BinlogPlace, corruptBinlog } from "./corrupt.ts";
import type { RowField } from "./row-fields.ts";
import { arrayElements, type ScalarElement } from "./scalar-field.ts";
import type { StoredColumn, StoredType, StoredValue } from "./stored-column.ts";
import {
  bfloat16Vector,
  binaryVector,
  float16Vector,
  floatVector,
  int8Vector,
  sparsePairBytes,
  sparseVector,
} from "./vectors.ts";

/**
 * A value as a reader of rows gets it: 64-bit integers are bigints; Float is the double of the same value; JSON is what `parseJson` answers
 * (bigints, LosslessNumbers); a vector is a list of its numbers (BinaryVector: of its bytes), a sparse one an object of its indices.
 */
export type FieldValue = unknown;

/** A value may take this much: Milvus lets a VarChar or JSON have 64 KiB, so a much larger one is damage. */
const largestValueBytes = 64 * 2 ** 20;

interface Codec {
  /** How Milvus stores it (`internal/storage/serde.go`). */
  readonly stored: StoredType;
  /** What the bytes of a value must be; undefined for any number. */
  readonly size?: (dim: number) => number;
  readonly decode?: (value: never, place: BinlogPlace) => FieldValue;
}

const asItIs = (stored: StoredType): Codec => ({ stored });
const bytes = (decode: (value: Uint8Array, place: BinlogPlace) => FieldValue, size?: Codec["size"]): Codec => ({
  stored: "bytes",
  decode,
  ...(size && { size }),
});

/** Every type that is read, by Milvus's name. What is not here (Geometry, Text, Timestamptz, ArrayOfVector) is named, never guessed. */
const codecs: Readonly<Record<string, Codec>> = {
  Bool: asItIs("bool"),
  Int8: asItIs("int8"),
  Int16: asItIs("int16"),
  Int32: asItIs("int32"),
  Int64: asItIs("int64"),
  Float: asItIs("float32"),
  Double: asItIs("float64"),
  VarChar: asItIs("text"),
  JSON: bytes(decodeJson),
  Array: bytes(decodeArray),
  FloatVector: bytes(floatVector, (dim) => dim * 4),
  Float16Vector: bytes(float16Vector, (dim) => dim * 2),
  BFloat16Vector: bytes(bfloat16Vector, (dim) => dim * 2),
  Int8Vector: bytes(int8Vector, (dim) => dim),
  BinaryVector: bytes(binaryVector, (dim) => dim / 8),
  SparseFloatVector: bytes(decodeSparse),
};

/** Whether values of a field's type can be read. */
export function isReadable({ type }: Pick<RowField, "type">): boolean {
  return Object.hasOwn(codecs, type);
}

/**
 * Holds a stored column to what the schema says of its field.
 * @throws CorruptBackup where it stores another type, or vectors of another size
 */
export function checkColumn(field: RowField, column: StoredColumn, place: BinlogPlace): void {
  const codec = codecs[field.type];
  if (codec === undefined) return;
  if (column.type !== codec.stored) {
    throw corruptBinlog(
      place,
      `field ${field.name} is ${field.type} in the schema, and its payload stores ${column.typeName}`,
    );
  }
  if (column.fixedBytes !== undefined) checkVectorSize(field, column.fixedBytes, place);
}

function checkVectorSize(field: RowField, size: number, place: BinlogPlace): void {
  const expected = field.dim === undefined ? undefined : codecs[field.type]?.size?.(field.dim);
  if (expected === undefined || size === expected) return;
  const reason = `field ${field.name} has a vector of ${size} bytes in place of ${expected} for ${field.dim} dimensions`;
  throw corruptBinlog(place, reason);
}

/**
 * A stored value as its field's type has it.
 * @param place of the payload, for messages
 * @throws CorruptBackup where the bytes are no value of the type, or too many
 */
export function fieldValue(field: RowField, stored: StoredValue | null, place: BinlogPlace): FieldValue {
  if (stored === null) return null;
  const codec = codecs[field.type];
  if (codec === undefined) throw new RangeError(`values of ${field.type} are not read`);
  const size = typeof stored === "string" || stored instanceof Uint8Array ? stored.length : 0;
  if (size > largestValueBytes) {
    throw corruptBinlog(place, `field ${field.name} has a value of ${size} bytes; Milvus stores none that large`);
  }
  checkVectorSize(field, size, place);
  if (codec.decode === undefined) return stored;
  try {
    return codec.decode(stored as never, place);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw corruptBinlog(place, `field ${field.name} has a value that is no ${field.type}: ${reason}`, cause);
  }
}

function decodeJson(value: Uint8Array): FieldValue {
  return parseJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value), "the value");
}

function decodeArray(value: Uint8Array): ScalarElement[] {
  return arrayElements(value);
}

function decodeSparse(value: Uint8Array): Record<string, number> {
  if (value.length % sparsePairBytes !== 0) throw new RangeError(`${value.length} bytes are no whole pairs`);
  return sparseVector(value);
}
