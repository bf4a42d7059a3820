import * as arrow from "apache-arrow";
import { Table, writeParquet } from "parquet-wasm";

/** The type of a payload's column, as Milvus's writers choose it. */
type ColumnType =
  | "bool"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "float"
  | "double"
  | "text"
  | "binary"
  | { fixed: number };

const arrowTypes = {
  bool: () => new arrow.Bool(),
  int8: () => new arrow.Int8(),
  int16: () => new arrow.Int16(),
  int32: () => new arrow.Int32(),
  int64: () => new arrow.Int64(),
  float: () => new arrow.Float32(),
  double: () => new arrow.Float64(),
  text: () => new arrow.Utf8(),
  binary: () => new arrow.Binary(),
};

/** A column of a payload: its name is of no importance. */
export interface Column {
  readonly type: ColumnType;
  readonly values: readonly unknown[];
}

/** A Parquet file as the payload of an event. */
export function payloadOf(...columns: readonly Column[]): Uint8Array {
  const vectors = columns.map(({ type, values }, index) => [
    `val${index || ""}`,
    arrow.vectorFromArray(
      values,
      typeof type === "object" ? new arrow.FixedSizeBinary(type.fixed) : arrowTypes[type](),
    ),
  ]);
  const stream = arrow.tableToIPC(new arrow.Table(Object.fromEntries(vectors)), "stream");
  return writeParquet(Table.fromIPCStream(stream));
}

interface BinlogOptions {
  readonly fieldId?: bigint;
  readonly dataType?: number;
  readonly extra?: Record<string, unknown>;
  readonly type?: "insert" | "delete";
}

/** A whole binlog with an event for each payload. */
export function binlogOf(payloads: readonly Uint8Array[], options: BinlogOptions = {}): Buffer {
  const { fieldId = 100n, dataType = 5, extra = { original_size: "1" }, type = "insert" } = options;
  const json = Buffer.from(JSON.stringify(extra));
  const descriptor = Buffer.alloc(52 + 8 + 4);
  for (const [index, id] of [1n, 2n, 3n, fieldId].entries()) descriptor.writeBigInt64LE(id, index * 8);
  descriptor.writeInt32LE(dataType, 48);
  Buffer.from([52, 16, 16, 16, 16, 16, 16, 16]).copy(descriptor, 52);
  descriptor.writeInt32LE(json.length, 60);
  const magic = Buffer.alloc(4);
  magic.writeInt32LE(0xfffabc);
  const parts = [magic, eventOf(0, Buffer.concat([descriptor, json]), 4)];
  for (const payload of payloads) {
    const at = parts.reduce((sum, { length }) => sum + length, 0);
    parts.push(eventOf(type === "insert" ? 1 : 2, Buffer.concat([Buffer.alloc(16), payload]), at));
  }
  return Buffer.concat(parts);
}

/** @param at where it begins in its file */
export function eventOf(type: number, data: Uint8Array, at: number): Buffer {
  const header = Buffer.alloc(17);
  header.writeInt8(type, 8);
  header.writeInt32LE(17 + data.length, 9);
  header.writeInt32LE(at + 17 + data.length, 13);
  return Buffer.concat([header, data]);
}
