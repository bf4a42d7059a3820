import { constants, createZstdCompress } from "node:zlib";
import { parquetPayloads } from "../../src/adapters/parquet/payload-reader.ts";
import type { RowField } from "../../src/core/binlog/row-fields.ts";
import { fieldValue } from "../../src/core/binlog/values.ts";
import { PipelineError } from "../../src/core/execution/errors.ts";
import { FieldLog, openLog } from "../../src/steps/rows/field-log.ts";
import { binlogOf } from "./binlog-writer.ts";
import { MemoryObjectStore } from "./memory-object-store.ts";

/**
 * Reads a binlog with one JSON of so many bytes, which compressed are a few hundred kilobytes, in a process of its own, so that a test can give it a
 * small heap. Arguments: the bytes, and what the page says that it has, where that is something else. Prints what reading threw, and the most memory that
 * the process held, in bytes.
 */
const [size = "", claimed = size] = process.argv.slice(2);
const bytes = await binlogWithOneValue(Number(size), Number(claimed));
const store = new MemoryObjectStore();
store.seed("a/log", bytes);
const before = process.resourceUsage().maxRSS * 1024;
const field: RowField = {
  ...{ id: 102n, name: "meta", type: "JSON", dataType: 23, isPrimaryKey: false, isDynamic: false, absent: undefined },
};
const thrown = await (async () => {
  try {
    const log = new FieldLog(field, await openLog(store, "a/log"), parquetPayloads);
    log.ready();
    fieldValue(field, log.at(0), log.place);
    return undefined;
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    return { name: error.name, message: error.message, ...error.details };
  }
})();
const peak = process.resourceUsage().maxRSS * 1024;
console.log(JSON.stringify({ thrown, logBytes: bytes.length, peak, grown: peak - before }));

/** A Parquet file with one value in one page of one column, written by hand: a writer would need the value in memory. */
async function binlogWithOneValue(value: number, claims: number): Promise<Buffer> {
  const page = await compressedPage(value);
  const header = struct(
    i32(1, 0), // a data page
    i32(2, claims + 4),
    i32(3, page.length),
    nested(5, i32(1, 1), i32(2, 0), i32(3, 3), i32(4, 3)), // one value, plain
  );
  const chunkBytes = header.length + page.length;
  const column = struct(
    i64(2, 4),
    nested(
      3,
      i32(1, 6),
      list(2, 5, [zigzag(0)]),
      list(3, 8, [text("val")]),
      i32(4, 6),
      i64(5, 1),
      i64(6, claims),
      i64(7, chunkBytes),
      i64(9, 4),
    ),
  );
  const footer = struct(
    i32(1, 1),
    list(2, 12, [struct(binary(4, "schema"), i32(5, 1)), struct(i32(1, 6), i32(3, 0), binary(4, "val"))]),
    i64(3, 1),
    list(4, 12, [struct(list(1, 12, [column]), i64(2, chunkBytes), i64(3, 1))]),
  );
  const length = Buffer.alloc(4);
  length.writeInt32LE(footer.length);
  const magic = Buffer.from("PAR1");
  return binlogOf([Buffer.concat([magic, header, page, footer, length, magic])], { fieldId: 102n, dataType: 23 });
}

/** `"xxx..."` of so many bytes behind their length, as Parquet's plain encoding has it. */
async function compressedPage(size: number): Promise<Buffer> {
  const stream = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } });
  const pieces: Buffer[] = [];
  stream.on("data", (piece: Buffer) => pieces.push(piece));
  const ended = new Promise((resolve, reject) => stream.once("end", resolve).once("error", reject));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(size);
  stream.write(Buffer.concat([length, Buffer.from('"')]));
  const piece = Buffer.alloc(2 ** 20, "x");
  for (let left = size - 2; left > 0; left -= piece.length) {
    const isFree = stream.write(left < piece.length ? piece.subarray(0, left) : piece);
    if (!isFree) await new Promise((resolve) => stream.once("drain", resolve));
  }
  stream.end('"');
  await ended;
  return Buffer.concat(pieces);
}

/** A field of a struct in Thrift's compact protocol: its number, its type and its value. */
type Field = readonly [number: number, type: number, value: Buffer];

function i32(number: number, value: number): Field {
  return [number, 5, zigzag(value)];
}

function i64(number: number, value: number): Field {
  return [number, 6, zigzag(value)];
}

function binary(number: number, value: string): Field {
  return [number, 8, text(value)];
}

function nested(number: number, ...fields: Field[]): Field {
  return [number, 12, struct(...fields)];
}

function list(number: number, type: number, items: readonly Buffer[]): Field {
  return [number, 9, Buffer.concat([Buffer.from([(items.length << 4) | type]), ...items])];
}

function struct(...fields: Field[]): Buffer {
  let before = 0;
  const parts = fields.flatMap(([number, type, value]) => {
    const head = Buffer.from([((number - before) << 4) | type]);
    before = number;
    return [head, value];
  });
  return Buffer.concat([...parts, Buffer.from([0])]);
}

function text(value: string): Buffer {
  return Buffer.concat([varint(value.length), Buffer.from(value)]);
}

function zigzag(value: number): Buffer {
  return varint(value < 0 ? -2 * value - 1 : 2 * value);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) | 128);
  bytes.push(left);
  return Buffer.from(bytes);
}
