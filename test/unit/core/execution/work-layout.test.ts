import { describe, expect, test } from "vitest";
import { machines } from "../../../../src/core/execution/machines.ts";
import {
  batchName,
  copyFailureKey,
  readersPrefix,
  receiptKeyOfFailure,
  workKeyPatterns,
  workLayout,
} from "../../../../src/core/execution/work-layout.ts";
import { restoreWorkLayout } from "../../../../src/core/plan/restore-work.ts";

/** Whether IAM takes `key` for one that `pattern` names. */
const covers = (pattern: string, key: string) => new RegExp(`^${pattern.split("*").join(".*")}$`).test(key);

describe("work files", () => {
  test("batches of an attempt sort by number, and say where they failed and what they left", () => {
    const layout = workLayout("backup", "nightly");
    const names = [0, 9, 10, 1562].map((index) => batchName(0, index));
    const failure = copyFailureKey(layout.batch(batchName(1, 7)));

    expect([...names].sort()).toEqual(names);
    expect(failure.startsWith(layout.copyFailures)).toBe(true);
    expect(receiptKeyOfFailure(failure)).toBe(layout.receipt(batchName(1, 7)));
  });

  test("executions and machines share no key", () => {
    const keys = ["a", "b"].flatMap((execution) =>
      (["backup", "restore"] as const).map((machine) => workLayout(machine, execution).plan),
    );

    expect(new Set(keys).size).toBe(4);
  });

  test.each(machines)("patterns name the files of a %s, and of no other machine", (machine) => {
    const patterns = workKeyPatterns;
    for (const of of machines) {
      const { progress, items } = workLayout(of, "nightly");

      expect(covers(patterns.executions, progress)).toBe(true);
      expect(covers(patterns.executionsOf(machine), progress)).toBe(of === machine);
      expect(covers(patterns.itemsOf(machine), items(12))).toBe(of === machine);
      expect(covers(patterns.itemsOf(machine), progress)).toBe(false);
    }
    expect(covers(patterns.readers, `${readersPrefix("a/b")}one`)).toBe(true);
    expect(covers(patterns.restores, restoreWorkLayout("0a1b").imports)).toBe(true);
  });
});
