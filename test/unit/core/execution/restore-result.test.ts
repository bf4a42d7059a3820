import { expect, test } from "vitest";
import type { FinishRestoreResult } from "../../../../src/core/execution/messages.ts";
import { boundedResult } from "../../../../src/core/execution/restore-result.ts";

const key = "executions/restore/x/result.json";

function result(collections: number, warnings: number): FinishRestoreResult {
  const name = "n".repeat(240);
  return {
    outcome: "restored",
    backupName: "nightly",
    collections: Array.from({ length: collections }, (_, index) => ({
      from: `default.${name}${index}`,
      to: `default.${name}${index}_bak`,
      id: "470615367219551002",
      rows: "1000",
      loaded: true,
    })),
    warnings: Array.from({ length: warnings }, (_, index) => `alias ${name}${index} was not set`),
    waitSeconds: 0,
  };
}

test("a small result is answered whole", () => {
  expect(boundedResult(result(20, 2), key)).toEqual(result(20, 2));
});

test("a result of 10,000 collections stays small and says where the others are listed", () => {
  const whole = result(10_000, 10_000);

  const bounded = boundedResult(whole, key);

  expect(Buffer.byteLength(JSON.stringify(bounded))).toBeLessThan(110 * 1024);
  expect(bounded.collections).toEqual(whole.collections.slice(0, bounded.collections.length));
  expect(bounded.collections.length).toBeGreaterThan(50);
  const left = 10_000 - bounded.collections.length;
  expect(bounded.warnings.at(-1)).toContain(`${left} more collections`);
  expect(bounded.warnings.at(-1)).toContain(key);
});
