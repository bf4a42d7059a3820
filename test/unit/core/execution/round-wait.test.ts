import { describe, expect, test } from "vitest";
import { roundWait } from "../../../../src/core/execution/round-wait.ts";

test("waits grow to two minutes, and a week takes about 5,200 rounds", () => {
  expect([0, 39, 40, 79, 80, 120, 150, 170, 5_000].map((round) => roundWait(round))).toEqual([
    1, 1, 2, 2, 2, 11, 48, 120, 120,
  ]);

  let rounds = 0;
  for (let seconds = 0; seconds < 7 * 86_400; rounds += 1) seconds += roundWait(rounds);
  expect(rounds).toBeGreaterThan(5_100);
  expect(rounds).toBeLessThan(5_250);
});

describe.each([0, 126])("after %d seconds", (before) => {
  test("a wait is 2 s at most for two minutes, and 5 percent of what passed at most", () => {
    let passed = before;
    for (let round = 0; round < 400; round += 1) {
      const wait = roundWait(round, before);
      expect(Number.isInteger(wait)).toBe(true);
      expect(wait).toBeLessThanOrEqual(Math.max(2, passed / 20));
      expect(wait).toBeLessThanOrEqual(120);
      passed += wait;
    }
  });

  test("a day of loading fits into the rounds that its machine has", () => {
    let passed = before;
    for (let round = 0; round < 780; round += 1) passed += roundWait(round, before);

    expect(passed).toBeGreaterThan(21 * 3_600);
  });
});
