import { expect, test } from "vitest";
import { readingCost } from "../../../../src/core/plan/reading-cost.ts";

test("1 TB in objects of 8 MiB is what the README says", () => {
  const { objects, minutes, dollars } = readingCost({ objects: 125_000, bytes: 1e12 }, { percent: 100 });

  expect(objects).toBe(125_000);
  expect(Math.round(minutes)).toBe(22);
  expect(dollars.toFixed(2)).toBe("0.56");
});

test("a sample costs its share of the bytes, and a request for each object", () => {
  const whole = readingCost({ objects: 125_000, bytes: 1e12 }, { percent: 100 });
  const tenth = readingCost({ objects: 125_000, bytes: 1e12 }, { percent: 10 });

  expect(tenth).toMatchObject({ objects: 12_500, bytes: 1e11 });
  expect(tenth.dollars).toBeLessThan(whole.dollars / 4);
  expect(tenth.dollars).toBeGreaterThan(whole.dollars / 10);
});

test("nothing costs next to nothing", () => {
  expect(readingCost({ objects: 0, bytes: 0 }, { percent: 100 })).toMatchObject({ objects: 0, bytes: 0, minutes: 0 });
});
