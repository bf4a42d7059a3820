import { describe, expect, it } from "vitest";
import { KeyTable } from "../../../../src/core/execution/key-table.ts";

const keyOf = (number: number) => `backup/b/binlogs/insert_log/1/2/${number}/${number}/100/${number}`;

describe("a table of keys", () => {
  const count = 50_000;

  it.each([
    ["that grows", 0],
    ["of the right size from the beginning", count],
  ])("%s finds every one of many keys with its value and tag, and none that was never set", (_, expected) => {
    const table = new KeyTable(expected);
    for (let number = 0; number < count; number += 1) table.set(keyOf(number), `${number} etag`, number % 7);

    const numbers = Array.from({ length: count }, (_, number) => number);
    expect(table.size).toBe(count);
    expect(numbers.filter((number) => !has(table, keyOf(number), `${number} etag`))).toEqual([]);
    expect(numbers.filter((number) => tagOf(table, keyOf(number)) !== number % 7)).toEqual([]);
    expect(numbers.filter((number) => table.slotOf(keyOf(count + number)) !== undefined)).toEqual([]);
  });

  it("tells another value from the one that was set", () => {
    const table = new KeyTable();
    table.set("a", "10 e");

    expect(["10 e", "10 f", "11 e", ""].map((value) => has(table, "a", value))).toEqual([true, false, false, false]);
  });

  it("keeps one value of a key, the last, and its tag until it is told another", () => {
    const table = new KeyTable();
    table.set("a", "1", 3);
    table.set("a", "2");
    expect([table.size, tagOf(table, "a"), has(table, "a", "2"), has(table, "a", "1")]).toEqual([1, 0, true, false]);

    table.setTag(table.slotOf("a") ?? -1, 9);
    table.set("b", "1", 4);
    expect([tagOf(table, "a"), tagOf(table, "b")]).toEqual([9, 4]);
  });
});

function has(table: KeyTable, key: string, value: string): boolean {
  return table.hasValue(table.slotOf(key) ?? -1, value);
}

function tagOf(table: KeyTable, key: string): number {
  return table.tagOf(table.slotOf(key) ?? -1);
}
