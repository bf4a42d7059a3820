/**
 * The two protobuf messages that values are stored in: `schemapb.ScalarField` (an Array's elements) and `schemapb.ValueField` (a field's
 * default value), of `milvus-proto/proto/schema.proto`. Read by hand because a protobuf library answers 64-bit integers as numbers where
 * it does not find another package for them.
 */
export type ScalarElement = boolean | number | bigint | string;

type ElementKind = "bool" | "int" | "long" | "float" | "double" | "string";

/** Both messages number their alternatives alike. */
const alternatives: Readonly<Record<number, ElementKind>> = {
  1: "bool",
  2: "int",
  3: "long",
  4: "float",
  5: "double",
  6: "string",
};

const varint = 0;
const fixed64 = 1;
const lengthDelimited = 2;
const fixed32 = 5;

/**
 * The elements of an Array.
 * @throws RangeError where the bytes are no such message
 */
export function arrayElements(bytes: Uint8Array): ScalarElement[] {
  const elements: ScalarElement[] = [];
  for (const { field, wire, reader } of fieldsOf(new WireReader(bytes))) {
    const kind = alternatives[field];
    if (kind === undefined || wire !== lengthDelimited) throw new RangeError(`an array of alternative ${field}`);
    for (const data of fieldsOf(reader)) {
      if (data.field !== 1) throw new RangeError(`an array with a field ${data.field}`);
      // Numbers come packed: one value of bytes with all of them.
      if (kind === "string" || data.wire !== lengthDelimited) elements.push(element(kind, data.reader));
      else while (!data.reader.ended) elements.push(element(kind, data.reader));
    }
  }
  return elements;
}

/**
 * A field's default value; undefined for a message without one.
 * @throws RangeError where the bytes are no such message
 */
export function valueField(bytes: Uint8Array): ScalarElement | undefined {
  let value: ScalarElement | undefined;
  for (const { field, reader } of fieldsOf(new WireReader(bytes))) {
    const kind = alternatives[field];
    if (kind === undefined) throw new RangeError(`a value of alternative ${field}`);
    value = element(kind, reader);
  }
  return value;
}

function element(kind: ElementKind, reader: WireReader): ScalarElement {
  switch (kind) {
    case "bool":
      return reader.varint() !== 0n;
    case "int":
      return Number(BigInt.asIntN(32, reader.varint()));
    case "long":
      return BigInt.asIntN(64, reader.varint());
    case "float":
      return reader.float();
    case "double":
      return reader.double();
    case "string":
      return reader.text();
  }
}

/** The fields of a message; the reader of one stands at its value: for bytes (packed numbers, text, messages), it has only these. */
function* fieldsOf(message: WireReader): Generator<{ field: number; wire: number; reader: WireReader }> {
  while (!message.ended) {
    const tag = Number(BigInt.asUintN(32, message.varint()));
    const wire = tag & 7;
    const reader = message.value(wire);
    yield { field: tag >>> 3, wire, reader };
  }
}

/** Protobuf's wire format, bounds checked. */
class WireReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get ended(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#take(1)[0] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new RangeError("an integer of more than ten bytes");
  }

  /** Steps over a value and answers a reader of it. */
  value(wire: number): WireReader {
    if (wire === fixed64) return new WireReader(this.#take(8));
    if (wire === fixed32) return new WireReader(this.#take(4));
    if (wire === lengthDelimited) return new WireReader(this.#take(Number(this.varint())));
    if (wire !== varint) throw new RangeError(`a value of wire type ${wire}`);
    const start = this.#at;
    this.varint();
    return new WireReader(this.#bytes.subarray(start, this.#at));
  }

  float(): number {
    return viewOf(this.#take(4)).getFloat32(0, true);
  }

  double(): number {
    return viewOf(this.#take(8)).getFloat64(0, true);
  }

  /** Everything that is left. */
  text(): string {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(this.#take(this.#bytes.length - this.#at));
  }

  #take(size: number): Uint8Array {
    if (this.#at + size > this.#bytes.length) {
      throw new RangeError(`cut off: ${size} bytes are needed, and ${this.#bytes.length - this.#at} are left`);
    }
    this.#at += size;
    return this.#bytes.subarray(this.#at - size, this.#at);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
