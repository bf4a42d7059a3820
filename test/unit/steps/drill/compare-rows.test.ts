import { describe, expect, test } from "vitest";
import type { RowField } from "../../../../src/core/binlog/row-fields.ts";
import { isSame, keyFilter } from "../../../../src/steps/drill/compare-rows.ts";

const field = (type: string, more: Partial<RowField> = {}): RowField => ({
  ...{ id: 100n, name: "f", type, dataType: 0, isPrimaryKey: false, isDynamic: false, absent: undefined },
  ...more,
});
const bytes = (text: string) => new TextEncoder().encode(text);

describe("a stored value and the answer of a query", () => {
  test.each([
    ["64-bit integers", "Int64", 2n ** 63n - 1n, 2n ** 63n - 1n, true],
    ["64-bit integers that a double would take for each other", "Int64", 2n ** 62n, 2n ** 62n + 1n, false],
    ["not a number", "Float", Number.NaN, Number.NaN, true],
    ["zeros of two signs", "Double", 0, -0, false],
    ["texts", "VarChar", "é漢字", "é漢字", true],
    ["vectors that differ by a bit", "FloatVector", new Uint8Array([1, 2, 3, 4]), new Uint8Array([1, 2, 3, 5]), false],
    [
      "the same JSON with other spaces and another order",
      "JSON",
      bytes('{"a":1,"b":[2]}'),
      bytes('{"b": [2], "a": 1}'),
      true,
    ],
    ["other JSON", "JSON", bytes('{"a":1}'), bytes('{"a":2}'), false],
    ["a value and none", "Int64", 1n, null, false],
    ["none and none", "Int64", null, null, true],
  ])("%s", (_, type, stored, queried, expected) => {
    expect(isSame(field(type), stored, queried)).toBe(expected);
  });

  test("a row without dynamic values is one whether an empty object or nothing says so", () => {
    expect(isSame(field("JSON", { isDynamic: true }), bytes("{}"), null)).toBe(true);
    expect(isSame(field("JSON"), bytes("{}"), null)).toBe(false);
  });

  test("arrays are compared element by element", () => {
    // ScalarField { long_data { data: [1, 2] } }
    const stored = new Uint8Array([0x1a, 0x04, 0x0a, 0x02, 0x01, 0x02]);

    expect(isSame(field("Array"), stored, [1n, 2n])).toBe(true);
    expect(isSame(field("Array"), stored, [1n, 3n])).toBe(false);
    expect(isSame(field("Array"), stored, [1n])).toBe(false);
  });
});

test("keys of text are quoted in an expression", () => {
  expect(keyFilter("id", [{ key: 'a"b\\c' }, { key: "d" }])).toBe('id in ["a\\"b\\\\c","d"]');
  expect(keyFilter("id", [{ key: 5n }])).toBe("id in [5]");
});
