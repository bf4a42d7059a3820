import { expect, test } from "vitest";
import { Deletes } from "../../../../src/steps/rows/deletes.ts";

test("deletes take as many keys as they may, keys that are there already more than once, and refuse the next one by name", () => {
  const deletes = new Deletes(2);
  deletes.add(1n, 10n);
  deletes.add(2n, 10n);
  deletes.add(1n, 20n);

  expect(() => deletes.add(3n, 10n)).toThrow("more than 2 keys have deletes that one segment has to be compared with");
  expect(deletes.size).toBe(2);
  expect(deletes.covers(1n, 15n)).toBe(true);
});
