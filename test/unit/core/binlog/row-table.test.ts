import { hash } from "node:crypto";
import { expect, test } from "vitest";
import { RowTable } from "../../../../src/core/binlog/row-table.ts";

const of = (text: string | number) => hash("sha256", String(text), "buffer");

test("50,000 keys of which each has its fate, through growth", () => {
  const table = new RowTable();
  for (let id = 0; id < 40_000; id += 1) table.note(0, of(id), of(`row ${id}`), 1n, 3);
  for (let id = 10_000; id < 50_000; id += 1) table.note(1, of(id), of(id % 10 === 0 ? "new" : `row ${id}`), 2n, 3);

  const counts = Map.groupBy(table.fates(), ({ fate }) => fate);
  expect(table.size).toBe(50_000);
  expect(Object.fromEntries([...counts].map(([fate, keys]) => [fate, keys.length]))).toEqual({
    removed: 10_000,
    changed: 3_000,
    same: 27_000,
    added: 10_000,
  });
});

test("a fate is taken once, and never of a key that was not noted", () => {
  const table = new RowTable();
  table.note(1, of(1), of("row"), 1n, 0);

  expect([table.takeFate(of(1)), table.takeFate(of(1)), table.takeFate(of(2))]).toEqual([
    { fate: "added", partition: 0 },
    undefined,
    undefined,
  ]);
});

test("an older row of a key does not replace a newer one, above 2^53 either", () => {
  const table = new RowTable();
  const now = 470_615_367_219_551_002n;
  table.note(0, of(1), of("newest"), now, 0);
  table.note(0, of(1), of("older"), now - 1n, 5);
  table.note(1, of(1), of("newest"), 1n, 0);

  expect([...table.fates()]).toEqual([{ fate: "same", partition: 0 }]);
});

test("partitions up to 32,766", () => {
  const table = new RowTable();
  table.note(0, of(1), of("row"), 1n, 32_766);
  table.note(1, of(1), of("row"), 1n, 32_766);

  expect([...table.fates()]).toEqual([{ fate: "same", partition: 32_766 }]);
  expect(() => table.note(0, of(2), of("row"), 1n, 32_767)).toThrow(RangeError);
});
