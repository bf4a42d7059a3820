import { describe, expect, test } from "vitest";
import { parquetPayloads } from "../../../../src/adapters/parquet/payload-reader.ts";
import { rowDocument } from "../../../../src/core/binlog/row-document.ts";
import { rowFields } from "../../../../src/core/binlog/row-fields.ts";
import { arrayElements, valueField } from "../../../../src/core/binlog/scalar-field.ts";
import { checkColumn, fieldValue, isReadable } from "../../../../src/core/binlog/values.ts";
import { collectionSchema, fieldSchema } from "../../../../src/core/format/meta.ts";
import { type Column, payloadOf } from "../../../support/binlog-writer.ts";

const place = { object: "a/log", offset: 42 };

/** A field of a type, behind a primary key. */
function fieldOf(data_type: number, dim?: number, rest: object = {}) {
  const type_params = dim === undefined ? [] : [{ key: "dim", value: String(dim) }];
  const schema = collectionSchema.create({
    name: "coll",
    fields: [
      fieldSchema.create({ fieldID: 100n, name: "id", data_type: 5, is_primary_key: true }),
      fieldSchema.create({ fieldID: 101n, name: "it", data_type, type_params, ...rest }),
    ],
  });
  const [, field] = rowFields(schema);
  if (field === undefined) throw new Error("no field");
  return field;
}

/** The values of a column, through a payload. */
function read(field: ReturnType<typeof fieldOf>, column: Column): unknown[] {
  const { columns } = parquetPayloads.read(payloadOf(column), { offset: 0, rows: 100 });
  const [stored] = columns;
  if (stored === undefined) throw new Error("no column");
  checkColumn(field, stored, place);
  return Array.from({ length: stored.length }, (_, row) => fieldValue(field, stored.at(row), place));
}

const bytes = (...values: number[]) => Uint8Array.from(values);
const int64Max = 9_223_372_036_854_775_807n;

describe("values of every type", () => {
  test.each<[string, number, number | undefined, Column, unknown[]]>([
    ["Bool", 1, undefined, { type: "bool", values: [true, false] }, [true, false]],
    ["Int8", 2, undefined, { type: "int8", values: [-128, 127] }, [-128, 127]],
    ["Int16", 3, undefined, { type: "int16", values: [-32_768] }, [-32_768]],
    ["Int32", 4, undefined, { type: "int32", values: [-2_147_483_648] }, [-2_147_483_648]],
    ["Int64", 5, undefined, { type: "int64", values: [int64Max, -int64Max - 1n] }, [int64Max, -int64Max - 1n]],
    ["Float", 10, undefined, { type: "float", values: [0.1] }, [Math.fround(0.1)]],
    ["Double", 11, undefined, { type: "double", values: [0.1, Number.NaN] }, [0.1, Number.NaN]],
    ["VarChar", 21, undefined, { type: "text", values: ["é漢字", "", "\u0000"] }, ["é漢字", "", "\u0000"]],
    [
      "JSON",
      23,
      undefined,
      { type: "binary", values: [Buffer.from('{"a":9007199254740993}')] },
      [{ a: 9007199254740993n }],
    ],
    ["BinaryVector", 100, 16, { type: { fixed: 2 }, values: [bytes(4, 148)] }, [[4, 148]]],
    ["FloatVector", 101, 2, { type: { fixed: 8 }, values: [bytes(0, 0, 128, 63, 0, 0, 0, 192)] }, [[1, -2]]],
    // 1, -2, the smallest half, 65504, infinity
    [
      "Float16Vector",
      102,
      5,
      { type: { fixed: 10 }, values: [bytes(0, 60, 0, 192, 1, 0, 255, 123, 0, 124)] },
      [[1, -2, 2 ** -24, 65_504, Number.POSITIVE_INFINITY]],
    ],
    ["BFloat16Vector", 103, 2, { type: { fixed: 4 }, values: [bytes(128, 63, 73, 64)] }, [[1, 3.140625]]],
    [
      "SparseFloatVector",
      104,
      undefined,
      { type: "binary", values: [bytes(7, 0, 0, 0, 0, 0, 0, 63, 255, 255, 255, 255, 0, 0, 128, 63)] },
      [{ 7: 0.5, 4294967295: 1 }],
    ],
    ["Int8Vector", 105, 3, { type: { fixed: 3 }, values: [bytes(128, 255, 127)] }, [[-128, -1, 127]]],
  ])("%s", (type, number, dim, column, expected) => {
    const field = fieldOf(number, dim);

    expect(field.type).toBe(type);
    expect(read(field, column)).toEqual(expected);
  });

  test("a nullable column has nulls", () => {
    expect(read(fieldOf(5), { type: "int64", values: [1n, null, 3n] })).toEqual([1n, null, 3n]);
    expect(read(fieldOf(101, 2), { type: "binary", values: [null, bytes(0, 0, 128, 63, 0, 0, 0, 192)] })).toEqual([
      null,
      [1, -2],
    ]);
  });

  test.each([
    ["bools", [0x0a, 4, 0x0a, 2, 1, 0], [true, false]],
    ["negative ints", [0x12, 12, 0x0a, 10, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], [-1]],
    ["longs", [0x1a, 11, 0x0a, 9, 131, 128, 128, 128, 128, 128, 128, 128, 16], [1152921504606846979n]],
    ["floats", [0x22, 6, 0x0a, 4, 0, 0, 192, 63], [1.5]],
    ["doubles", [0x2a, 10, 0x0a, 8, 0, 0, 0, 0, 0, 0, 248, 63], [1.5]],
    ["texts, an empty one too", [0x32, 7, 0x0a, 3, 97, 98, 99, 0x0a, 0], ["abc", ""]],
    ["nothing", [0x32, 0], []],
  ])("an Array of %s", (_, message, expected) => {
    expect(arrayElements(Uint8Array.from(message))).toEqual(expected);
  });

  test.each([
    [[0x1a, 200, 1]],
    [[0x0a]],
    [[0x12, 2, 0x0a, 9]],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]],
  ])("an Array that is none: %j", (message) => {
    expect(() => fieldValue(fieldOf(22), Uint8Array.from(message), place)).toThrow(
      /^a\/log, offset 42: field it has a value that is no Array/,
    );
  });

  test("a row from before a field was added has its default value, or null where it may", () => {
    expect(fieldOf(5, undefined, { default_value_base64: Buffer.from([0x18, 42]).toString("base64") }).absent).toBe(
      42n,
    );
    expect(fieldOf(21, undefined, { nullable: true }).absent).toBeNull();
    expect(fieldOf(21).absent).toBeUndefined();
    expect(valueField(Uint8Array.from([0x32, 2, 104, 105]))).toBe("hi");
  });

  test.each([
    ["Geometry", 24],
    ["Text", 25],
    ["Timestamptz", 26],
    ["ArrayOfVector", 106],
    ["type 77", 77],
  ])("%s is not guessed", (type, number) => {
    const field = fieldOf(number);

    expect(field.type).toBe(type);
    expect(isReadable(field)).toBe(false);
  });

  test("a number that JSON does not know is shown as text", () => {
    expect(rowDocument({ value: () => Number.NaN }, [fieldOf(11)])).toEqual({ it: "NaN" });
    expect(rowDocument({ value: () => [1, Number.NEGATIVE_INFINITY] }, [fieldOf(101, 2)])).toEqual({
      it: [1, "-Infinity"],
    });
  });
});

describe("values that are none are refused with object and offset", () => {
  test.each<[string, number, number | undefined, Column, RegExp]>([
    [
      "another type",
      5,
      undefined,
      { type: "int32", values: [1] },
      /field it is Int64 in the schema, and its payload stores Int32/,
    ],
    [
      "a vector of another length",
      101,
      4,
      { type: { fixed: 8 }, values: [bytes(0, 0, 0, 0, 0, 0, 0, 0)] },
      /a vector of 8 bytes in place of 16 for 4 dimensions/,
    ],
    ["JSON that is none", 23, undefined, { type: "binary", values: [Buffer.from("{")] }, /a value that is no JSON/],
    [
      "JSON that is no UTF-8",
      23,
      undefined,
      { type: "binary", values: [bytes(34, 255, 34)] },
      /a value that is no JSON/,
    ],
    ["half a pair", 104, undefined, { type: "binary", values: [bytes(1, 2, 3)] }, /no SparseFloatVector/],
  ])("%s", (_, number, dim, column, message) => {
    expect(() => read(fieldOf(number, dim), column)).toThrow(message);
    expect(() => read(fieldOf(number, dim), column)).toThrow(/^a\/log, offset 42: /);
  });

  test("one that is much larger than Milvus takes", () => {
    const payload = payloadOf({ type: "binary", values: [Buffer.alloc(65 * 2 ** 20, 0x20)] });
    const { columns } = parquetPayloads.read(payload, { offset: 0, rows: 10 });

    expect(() => fieldValue(fieldOf(23), columns[0]?.at(0) ?? null, place)).toThrow(
      /offset 42: field it has a value of 68157440 bytes; Milvus stores none that large/,
    );
  });
});
