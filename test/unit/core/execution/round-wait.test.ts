import { expect, test } from "vitest";
import { roundWait } from "../../../../src/core/execution/round-wait.ts";

test("waits grow to two minutes, and a week takes about 5,100 rounds", () => {
  expect([0, 1, 2, 3, 4, 5, 10, 50, 90, 91, 5_000].map(roundWait)).toEqual([1, 2, 4, 8, 16, 32, 40, 80, 120, 120, 120]);

  let rounds = 0;
  for (let seconds = 0; seconds < 7 * 86_400; rounds += 1) seconds += roundWait(rounds);
  expect(rounds).toBeGreaterThan(5_000);
  expect(rounds).toBeLessThan(5_100);
});

test("a wait is a small part of what was waited for already", () => {
  let waited = 0;
  for (let round = 0; round < 200; round += 1) {
    if (waited > 300) expect(roundWait(round)).toBeLessThan(waited / 6);
    waited += roundWait(round);
  }
});
