import { tableFromIPC, Vector } from "apache-arrow";
import { readParquet } from "parquet-wasm";
import { describe, expect, it, test } from "vitest";
import { tableFiles } from "../../../../src/adapters/parquet/table-files.ts";
import { JsonLines } from "../../../../src/core/binlog/json-lines.ts";
import type { RowField } from "../../../../src/core/binlog/row-fields.ts";
import type { StoredValue } from "../../../../src/core/binlog/stored-column.ts";
import type { TableFile } from "../../../../src/core/binlog/table-file.ts";
import { fieldValue } from "../../../../src/core/binlog/values.ts";

function field(name: string, type: string, more: Partial<RowField> = {}): RowField {
  return { id: 100n, name, type, dataType: 0, isPrimaryKey: false, isDynamic: false, absent: undefined, ...more };
}

const fields = {
  flag: field("flag", "Bool"),
  small: field("small", "Int8"),
  big: field("big", "Int64", { isPrimaryKey: true }),
  single: field("single", "Float"),
  double: field("double", "Double"),
  text: field("text", "VarChar"),
  json: field("json", "JSON"),
  longs: field("longs", "Array", { elementType: "Int64" }),
  vector: field("vector", "FloatVector", { dim: 2 }),
  half: field("half", "Float16Vector", { dim: 2 }),
  brain: field("brain", "BFloat16Vector", { dim: 2 }),
  bytes: field("bytes", "Int8Vector", { dim: 3 }),
  bits: field("bits", "BinaryVector", { dim: 16 }),
  sparse: field("sparse", "SparseFloatVector"),
  place: field("place", "Geometry"),
  $meta: field("$meta", "JSON", { isDynamic: true }),
} as const;

const text = (value: string) => new TextEncoder().encode(value);
const floats = (...values: number[]) => new Uint8Array(new Float32Array(values).buffer);
const words = (...values: number[]) => new Uint8Array(new Uint16Array(values).buffer);
const sparse = new Uint8Array(16);
new DataView(sparse.buffer).setUint32(0, 7, true);
new DataView(sparse.buffer).setFloat32(4, 0.5, true);
new DataView(sparse.buffer).setUint32(8, 4_000_000_000, true);
new DataView(sparse.buffer).setFloat32(12, -2, true);

const stored: Record<keyof typeof fields, StoredValue> = {
  flag: true,
  small: -128,
  big: 9_007_199_254_740_993n,
  single: Math.fround(0.1),
  double: 0.1,
  text: "é漢字\n",
  json: text('{"n": 9007199254740993, "d": 1.10}'),
  // schemapb.ScalarField { long_data { data: [1, -1] } }
  longs: Uint8Array.from([0x1a, 0x0d, 0x0a, 0x0b, 1, ...Array.from({ length: 9 }, () => 0xff), 1]),
  vector: floats(Math.fround(0.1), Number.NaN),
  half: words(0x3c00, 0x0001),
  brain: words(0x3f80, 0x7f80),
  bytes: Uint8Array.from([1, 255, 128]),
  bits: Uint8Array.from([0xf0, 0x01]),
  sparse,
  place: text("a place"),
  $meta: text('{"color":"red","n":9007199254740993}'),
};

function rowOf(values: Readonly<Partial<Record<string, StoredValue | null>>>) {
  const of = (one: RowField) => values[one.name] ?? null;
  return { stored: of, value: (one: RowField) => fieldValue(one, of(one), { object: "logs/1", offset: 90 }) };
}

const all = Object.values(fields);

function filled(file: TableFile): TableFile {
  file.add(rowOf(stored));
  file.add(rowOf({ big: -5n }));
  return file;
}

describe.each(["parquet", "arrow"] as const)("%s", (format) => {
  const content = filled(tableFiles.open(format, all)).finish();
  const table = tableFromIPC(format === "arrow" ? content : readParquet(content).intoIPCStream());
  const value = (name: string, row = 0): unknown => {
    const found: unknown = table.getChild(name)?.get(row);
    return found instanceof Vector ? Array.from(found.toArray() as Iterable<unknown>) : found;
  };

  it("has names and types of the schema, with Milvus's own beside them; what is not read is left out", () => {
    const types = table.schema.fields.map(({ name, type }) => [name, String(type)]);
    expect(Object.fromEntries(types)).toEqual({
      ...{
        flag: "Bool",
        small: "Int8",
        big: "Int64",
        single: "Float32",
        double: "Float64",
        text: "Utf8",
        json: "Utf8",
      },
      ...{ longs: "List<Int64>", vector: "FixedSizeList[2]<Float32>", half: "FixedSizeList[2]<Float32>" },
      ...{ brain: "FixedSizeList[2]<Float32>", bytes: "FixedSizeList[3]<Int8>", bits: "FixedSizeBinary[2]" },
      ...{ sparse: "List<Struct<{index:Uint32, value:Float32}>>", $meta: "Utf8" },
    });
    const [, , big] = table.schema.fields;
    expect(Object.fromEntries(big?.metadata ?? [])).toEqual({ "milvus.type": "Int64", "milvus.primary_key": "true" });
  });

  it("has every value exactly", () => {
    expect(["flag", "small", "big", "single", "double", "text"].map((name) => value(name))).toEqual([
      ...[true, -128, 9_007_199_254_740_993n, Math.fround(0.1), 0.1, "é漢字\n"],
    ]);
    expect(value("json")).toBe('{"n": 9007199254740993, "d": 1.10}');
    expect(value("$meta")).toBe('{"color":"red","n":9007199254740993}');
    expect(value("longs")).toEqual([1n, -1n]);
    expect(value("vector")).toEqual([Math.fround(0.1), Number.NaN]);
    expect(value("half")).toEqual([1, 2 ** -24]);
    expect(value("brain")).toEqual([1, Number.POSITIVE_INFINITY]);
    expect(value("bytes")).toEqual([1, -1, -128]);
    expect([...(value("bits") as Iterable<number>)]).toEqual([0xf0, 0x01]);
    const pairs = value("sparse") as { toJSON(): unknown }[];
    expect(pairs.map((pair) => pair.toJSON())).toEqual([
      { index: 7, value: 0.5 },
      { index: 4_000_000_000, value: -2 },
    ]);
  });

  it("has nothing where a row has nothing", () => {
    const names = table.schema.fields.map(({ name }) => name).filter((name) => name !== "big");
    expect(names.map((name) => value(name, 1))).toEqual(names.map(() => null));
    expect(value("big", 1)).toBe(-5n);
  });

  it.each(["vector", "half", "bytes", "bits", "sparse"] as const)(
    "refuses a %s of another length, which would shift what lies behind it",
    (name) => {
      const cut = (stored[name] as Uint8Array).subarray(1);
      expect(() => tableFiles.open(format, all).add(rowOf({ ...stored, [name]: cut }))).toThrow(
        `logs/1, offset 90: field ${name}`,
      );
    },
  );

  it("refuses JSON that is no text", () => {
    const broken = { ...stored, json: Uint8Array.from([0xff]) };
    expect(() => tableFiles.open(format, all).add(rowOf(broken))).toThrow("logs/1, offset 90: field json");
  });
});

test("a file tells how many rows it has, and about how much memory they take", () => {
  const file = tableFiles.open("parquet", [fields.vector]);
  for (let row = 0; row < 1_000; row += 1) file.add(rowOf(stored));

  expect(file.rows).toBe(1_000);
  expect(file.bytes).toBeGreaterThanOrEqual(8_000);
  expect(file.bytes).toBeLessThan(20_000);
});

test("a line of JSON is what peek shows: dynamic values beside the fields, integers and vectors to the last digit", () => {
  const [first = "", second = ""] = Buffer.from(filled(new JsonLines(all)).finish())
    .toString()
    .split("\n");

  expect(first).toBe(
    '{"flag":true,"small":-128,"big":9007199254740993,"single":0.10000000149011612,"double":0.1,"text":"é漢字\\n",' +
      '"json":{"n":9007199254740993,"d":1.10},"longs":[1,-1],"vector":[0.10000000149011612,"NaN"],"half":[1,5.960464477539063e-8],' +
      '"brain":[1,"Infinity"],"bytes":[1,-1,-128],"bits":[240,1],"sparse":{"7":0.5,"4000000000":-2},"color":"red","n":9007199254740993}',
  );
  expect(JSON.parse(second)).toMatchObject({ big: -5, flag: null, vector: null });
});
