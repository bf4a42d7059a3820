import { beforeAll, describe, expect, it } from "vitest";
import { type Digit, dimension, drawDigit, readDigits } from "../../../demo/digits.ts";
import { agreementOf, chooseQueries, type Hit, topCount } from "../../../demo/search.ts";

const hits = (first: number): Hit[] =>
  Array.from({ length: topCount }, (_, rank) => ({ id: String(first + rank), label: 1, distance: rank }));

describe("the demo's digits", () => {
  let digits: Digit[];

  beforeAll(async () => {
    digits = await readDigits();
  });

  it("are 10,000 whole images, numbered in order", () => {
    expect(digits).toHaveLength(10_000);
    expect(digits.every(({ pixels }) => pixels.length === dimension)).toBe(true);
    expect(digits.every(({ id }, index) => id === index)).toBe(true);
  });

  it("have every label in every quarter, so that each flush fills both partitions", () => {
    for (let from = 0; from < 10_000; from += 2_500) {
      const labels = new Set(digits.slice(from, from + 2_500).map(({ label }) => label));
      expect(labels.size).toBe(10);
    }
  });

  it("are drawn two rows to a line, ink where the pixels are", () => {
    const pixels = Array.from({ length: dimension }, (_, index) => (index % 28 === 3 ? 1 : 0));

    const lines = drawDigit({ id: 0, label: 1, pixels });

    expect(lines).toEqual(Array.from({ length: 14 }, () => `   @${" ".repeat(24)}`));
  });

  it("are searched for only where they were not deleted", () => {
    const before = chooseQueries(digits, new Set());
    const deleted = new Set(before.map(({ id }) => id));

    const after = chooseQueries(digits, deleted);

    expect(after.map(({ label }) => label)).toEqual(before.map(({ label }) => label));
    expect(after.some(({ id }) => deleted.has(id))).toBe(false);
  });

  it("agree only at ranks with the same digit at the same distance", () => {
    const [query] = digits;
    if (query === undefined) throw new Error("no digits");
    const further = hits(0).map((hit, rank) => (rank === 9 ? { ...hit, distance: hit.distance + 1 } : hit));

    expect(agreementOf([{ query, source: hits(0), restored: hits(0) }])).toBe(1);
    expect(agreementOf([{ query, source: hits(0), restored: further }])).toBe(0.9);
    expect(agreementOf([{ query, source: hits(0), restored: hits(0).slice(0, 5) }])).toBe(0.5);
    expect(agreementOf([{ query, source: [], restored: [] }])).toBe(0);
  });
});
