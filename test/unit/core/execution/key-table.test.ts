import { describe, expect, it } from "vitest";
import { KeyTable } from "../../../../src/core/execution/key-table.ts";

const keyOf = (number: number) => `backup/b/binlogs/insert_log/1/2/${number}/${number}/100/${number}`;

describe("a table of keys", () => {
  it("finds every one of many keys with its value and tag, and none that was never set", () => {
    const table = new KeyTable();
    const count = 50_000;
    for (let number = 0; number < count; number += 1) table.set(keyOf(number), `${number} etag`, number % 7);

    const numbers = Array.from({ length: count }, (_, number) => number);
    expect(table.size).toBe(count);
    expect(numbers.filter((number) => !table.hasValue(keyOf(number), `${number} etag`))).toEqual([]);
    expect(numbers.filter((number) => table.tagOf(keyOf(number)) !== number % 7)).toEqual([]);
    expect(numbers.filter((number) => table.tagOf(keyOf(count + number)) !== undefined)).toEqual([]);
  });

  it("tells another value from the one that was set", () => {
    const table = new KeyTable();
    table.set("a", "10 e");

    expect(table.hasValue("a", "10 f")).toBe(false);
    expect(table.hasValue("a", "11 e")).toBe(false);
    expect(table.hasValue("a", "11 e", "10 e")).toBe(true);
    expect(table.hasValue("b", "10 e")).toBe(false);
  });

  it("keeps one value of a key, the last, and its tag until it is told another", () => {
    const table = new KeyTable();
    table.set("a", "1", 3);
    table.set("a", "2");
    table.setTag("a", 9);
    table.setTag("never set", 9);

    expect([table.size, table.tagOf("a"), table.hasValue("a", "2"), table.tagOf("never set")]).toEqual([
      1,
      9,
      true,
      undefined,
    ]);
  });
});
