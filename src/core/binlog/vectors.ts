/**
 * Vectors as Milvus stores them (`internal/storage/payload_writer.go`, `pkg/util/typeutil`): little endian, one after the other. Every
 * function answers new numbers, exact in a JavaScript number.
 */

/** `FloatVector`: IEEE 754 single precision. */
export function floatVector(bytes: Uint8Array): number[] {
  const view = viewOf(bytes);
  return Array.from({ length: bytes.length / 4 }, (_, index) => view.getFloat32(index * 4, true));
}

/** `Float16Vector`: IEEE 754 half precision. */
export function float16Vector(bytes: Uint8Array): number[] {
  const view = viewOf(bytes);
  return Array.from({ length: bytes.length / 2 }, (_, index) => halfFloat(view.getUint16(index * 2, true)));
}

/** `BFloat16Vector`: the upper half of a single precision number. */
export function bfloat16Vector(bytes: Uint8Array): number[] {
  const view = viewOf(bytes);
  const single = new DataView(new ArrayBuffer(4));
  return Array.from({ length: bytes.length / 2 }, (_, index) => {
    single.setUint32(0, view.getUint16(index * 2, true) << 16);
    return single.getFloat32(0);
  });
}

export function int8Vector(bytes: Uint8Array): number[] {
  return Array.from(new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

/** `BinaryVector`: eight dimensions a byte, as Milvus answers them. */
export function binaryVector(bytes: Uint8Array): number[] {
  return Array.from(bytes);
}

/** `SparseFloatVector`: pairs of an index (uint32) and a value (single precision), as `{"7": 0.5}`. */
export function sparseVector(bytes: Uint8Array): Record<string, number> {
  const view = viewOf(bytes);
  const pairs: Record<string, number> = {};
  for (let at = 0; at < bytes.length; at += sparsePairBytes) {
    pairs[view.getUint32(at, true)] = view.getFloat32(at + 4, true);
  }
  return pairs;
}

export const sparsePairBytes = 8;

function halfFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
