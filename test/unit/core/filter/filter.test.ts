import { LosslessNumber } from "lossless-json";
import { describe, expect, test } from "vitest";
import { rowFields } from "../../../../src/core/binlog/row-fields.ts";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { bindFilter } from "../../../../src/core/filter/filter.ts";
import { collectionSchema, fieldSchema } from "../../../../src/core/format/meta.ts";

const types = { id: 5, small: 2, flag: 1, f: 10, d: 11, name: 21, doc: 23, tags: 22, vec: 101, geo: 24 };

function fieldsOf(dynamic: boolean) {
  const fields = Object.entries(types).map(([name, data_type], index) =>
    fieldSchema.create({ fieldID: BigInt(100 + index), name, data_type, is_primary_key: name === "id" }),
  );
  return rowFields(collectionSchema.create({ name: "coll", fields, enable_dynamic_field: dynamic }));
}

const row: Record<string, unknown> = {
  id: 9007199254740993n,
  small: -5,
  flag: true,
  f: Math.fround(0.1),
  d: 0.1,
  name: "a%b (c)\né漢字",
  doc: { n: 9007199254740993n, x: new LosslessNumber("1.5"), list: [1n, "two"], none: null, "": "empty" },
  tags: ["x", "y"],
  $meta: { color: "red", size: 7n },
};

const matches = (filter: string, dynamic = true) =>
  bindFilter(filter, fieldsOf(dynamic)).matches({ value: ({ name }) => row[name] ?? null });

describe("a filter matches", () => {
  test.each([
    ["id == 9007199254740993"],
    ["id != 9007199254740992"],
    ["id > 9007199254740992 && id < 9007199254740994"],
    ["9007199254740992 < id <= 9007199254740993"],
    ["id in [1, 9007199254740993]"],
    ["id not in [9007199254740992, 9007199254740994]"],
    ["NOT (id IN [])"],
    ["id >= 0x20000000000001"],
    ["small == -5"],
    ["small == -5.0 and small < -4.5 and small > -6e0"],
    ["flag"],
    ["flag == true and flag != False"],
    ["not not flag"],
    ["!(flag == false)"],
    ["f == 0.1"],
    ["d == 0.1"],
    ["d > f or d < f"],
    ["name like 'a%'"],
    ['name like "a\\%b%"'],
    ["name like '%漢_'"],
    ["name not like 'b%'"],
    ["name == 'a%b (c)\\né漢字'"],
    ["name >= 'a' and name < \"b\""],
    ["doc['n'] == 9007199254740993"],
    ['doc["x"] < 2 and doc["x"] == 1.5'],
    ["doc['list'][1] == 'two'"],
    ["doc[''] == 'empty'"],
    ["doc['none'] is null and doc['nothing'] is null and doc['n'] is not null"],
    ["doc['n'] != 'text'"],
    ["tags[1] == 'y'"],
    ["color == 'red' and size in [6, 7]"],
    ["$meta['color'] like 'r%'"],
    ["flag == false or flag and small < 0"],
    ["false == flag or true == flag"],
  ])("%s", (filter) => {
    expect(matches(filter)).toBe(true);
  });
});

describe("a filter does not match", () => {
  test.each([
    ["id == 9007199254740992"],
    ["id == 9007199254740993.5"],
    ["name like 'b%'"],
    ["name like 'a_b'"],
    ["doc['nothing'] == 1"],
    ["doc['nothing'] != 1"],
    ["doc['n'] < 'text'"],
    ["doc['constructor'] is not null"],
    ["tags[7] == 'y'"],
    ["shape == 'round'"],
    ["flag and (small > 0 or d > 1)"],
  ])("%s", (filter) => {
    expect(matches(filter)).toBe(false);
  });
});

describe("what is no filter is refused with the character and what is accepted", () => {
  test.each([
    ["", 1, "it ends where a field or a value should stand"],
    ["id", 1, "id is Int64: compare it with a value"],
    ["id = 5", 4, "= is no operator: use == to compare"],
    ["id == ", 7, "it ends where a field or a value should stand"],
    ["id == 5 name == 'x'", 9, "name stands where the filter should end"],
    ["(id == 5", 9, "the parenthesis is not closed"],
    ["id == 5)", 8, ") stands where the filter should end"],
    ["id in 5", 7, "in goes on with a list"],
    ["id in [1, 2", 12, "the list is not closed"],
    ["id in [name]", 8, "a value should stand here"],
    ["id == 'x'", 7, 'id is Int64, and "x" is a text'],
    ["name == 5", 9, 'name is VarChar, and "5" is a number'],
    ["name like 5", 11, "like goes on with a text"],
    ["id like 'a%'", 1, "id is Int64: like takes text"],
    ["flag < true", 6, "< does not compare Bools"],
    ["id == name", 4, "id is Int64, and name is VarChar"],
    ["1 == 1", 1, "two values are compared, and no field"],
    ["5", 2, "a value alone is no condition"],
    ["vec == 1", 1, "vec is FloatVector, no scalar field"],
    ["doc == 1", 1, 'doc is JSON, no scalar field by itself: name what lies in it, doc["key"]'],
    ["tags == 'x'", 1, "tags is Array, no scalar field by itself: name an element, tags[0]"],
    ["geo == 1", 1, "geo is Geometry, which is not read yet"],
    ["id == 5 and", 12, "it ends where"],
    ["id is 5", 7, "is goes on with null or not null"],
    ["id not 5", 8, "not goes on with in or like here"],
    ["name == 'x", 9, "a text that does not end"],
    ["id == 5x", 7, "5 runs into a name"],
    ["id == -'x'", 8, "a sign goes before a number"],
    ["id == 5; drop", 8, "; is no part of a filter"],
    ["id == 漢", 7, "漢 is no part of a filter"],
    ["json_contains(doc, 1)", 14, "( stands where the filter should end"],
    ["doc[1.5] == 1", 5, "a path goes on with a text or an index"],
  ])("%s", (filter, character, reason) => {
    const error = refusalOf(() => bindFilter(filter, fieldsOf(false)));

    expect(error.name).toBe("InvalidInput");
    expect(error.message).toContain(`the filter, character ${character}: ${reason}`);
    expect(error.message).toContain("like 'prefix%'");
  });

  test.each([
    ["parentheses", `${"(".repeat(500)}id == 1`],
    ["not", `${"not ".repeat(100_000)}flag`],
  ])("500 or more %s one within the other", (_, filter) => {
    const { message } = refusalOf(() => bindFilter(filter, fieldsOf(false)));

    expect(message).toContain("it is nested more than 200 deep");
  });

  test("a field that is not there, with those that are", () => {
    const error = refusalOf(() => bindFilter("color == 'red'", fieldsOf(false)));

    expect(error.message).toContain(`there is no field color; there is: ${Object.keys(types).join(", ")}`);
  });
});

function refusalOf(call: () => unknown): PipelineError {
  try {
    call();
  } catch (error) {
    if (error instanceof PipelineError) return error;
    throw error;
  }
  throw new Error("it was taken");
}
