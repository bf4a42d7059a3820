import { describe, expect, test } from "vitest";
import {
  batchName,
  copyFailureKey,
  leaseKey,
  receiptKeyOfFailure,
  workLayout,
} from "../../../../src/core/execution/work-layout.ts";

describe("work files", () => {
  test("batches of an attempt sort by number, and say where they failed and what they left", () => {
    const layout = workLayout("backup", "nightly");
    const names = [0, 9, 10, 1562].map((index) => batchName(0, index));
    const failure = copyFailureKey(layout.batch(batchName(1, 7)));

    expect([...names].sort()).toEqual(names);
    expect(failure.startsWith(layout.copyFailures)).toBe(true);
    expect(receiptKeyOfFailure(failure)).toBe(layout.receipt(batchName(1, 7)));
  });

  test("executions and machines share no key, and leases of two subjects are two", () => {
    const keys = ["a", "b"].flatMap((execution) =>
      (["backup", "restore"] as const).map((machine) => workLayout(machine, execution).plan),
    );

    expect(new Set(keys).size).toBe(4);
    expect(leaseKey("restore", "bucket at host:9000 backup/a/")).not.toContain(" ");
    expect(leaseKey("restore", "a/b")).not.toBe(leaseKey("restore", "a%2Fb"));
  });
});
