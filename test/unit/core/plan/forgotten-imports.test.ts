import { describe, expect, test } from "vitest";
import {
  type ForgottenFacts,
  type ForgottenImport,
  judgeForgotten,
  judgeForgottenDeletes,
} from "../../../../src/core/plan/forgotten-imports.ts";

const long = 10 * 60_000;

function forgotten(task: number, minimumRows: number, rows: number, reportedRows = 0): ForgottenImport {
  return { task, rows: BigInt(rows), minimumRows: BigInt(minimumRows), reportedRows: BigInt(reportedRows) };
}

function judge(arrived: number, imports: readonly ForgottenImport[], rest: Partial<ForgottenFacts> = {}) {
  const completedRows = 1_000n;
  return judgeForgotten({
    forgotten: imports,
    completedRows,
    countedRows: completedRows + BigInt(arrived),
    othersRun: false,
    missedMilliseconds: long,
    ...rest,
  });
}

describe("imports that the server has forgotten", () => {
  const exact = [forgotten(3, 100, 100), forgotten(4, 50, 50)];
  const withDeletes = [forgotten(3, 80, 100)];

  test("arrived where all their rows are there, without waiting", () => {
    expect(judge(150, exact, { missedMilliseconds: 0 })).toEqual({
      outcome: "arrived",
      rows: new Map([
        [3, 100n],
        [4, 50n],
      ]),
    });
  });

  test("cannot be told from the count while anything else is imported", () => {
    expect(judge(150, exact, { othersRun: true })).toEqual({ outcome: "wait" });
  });

  test.each([0, 50, 149, 151, -1])("are asked for again before a count of %i rows is believed", (arrived) => {
    expect(judge(arrived, exact, { missedMilliseconds: 119_999 })).toEqual({ outcome: "wait" });
  });

  test("brought nothing where no row came", () => {
    expect(judge(0, exact)).toEqual({ outcome: "nothing" });
  });

  test.each([50, 100, 149, 151, -1])("are unclear where %i of 150 rows are there", (arrived) => {
    expect(judge(arrived, exact)).toEqual({ outcome: "unclear", arrivedRows: BigInt(arrived) });
  });

  test.each([80, 81, 99, 100])("with deletes arrived where the count is what these can leave: %i", (arrived) => {
    expect(judge(arrived, withDeletes)).toEqual({ outcome: "arrived", rows: new Map([[3, BigInt(arrived)]]) });
  });

  test.each([1, 79, 101])("with deletes are unclear where it is not: %i", (arrived) => {
    expect(judge(arrived, withDeletes)).toMatchObject({ outcome: "unclear" });
  });

  test("whose deletes may take every row are not believed to have arrived where no row is there", () => {
    expect(judge(0, [forgotten(3, 0, 100)])).toEqual({ outcome: "nothing" });
    expect(judge(1, [forgotten(3, 0, 100)])).toMatchObject({ outcome: "arrived" });
  });

  test("are unclear where the count would be as right if one of them had brought nothing", () => {
    expect(judge(50, [forgotten(3, 0, 100), forgotten(4, 50, 50)])).toMatchObject({ outcome: "unclear" });
    expect(judge(120, [forgotten(3, 60, 100), forgotten(4, 60, 100)])).toMatchObject({ outcome: "arrived" });
    expect(judge(180, [forgotten(3, 80, 100), forgotten(4, 80, 100), forgotten(5, 10, 100)])).toMatchObject({
      outcome: "unclear",
    });
  });

  test("arrived with the rows that they reported last, where the count is exactly theirs", () => {
    const reported = [forgotten(3, 0, 100, 60), forgotten(4, 0, 100, 30)];

    expect(judge(90, reported, { missedMilliseconds: 0 })).toEqual({
      outcome: "arrived",
      rows: new Map([
        [3, 60n],
        [4, 30n],
      ]),
    });
    expect(judge(90, [forgotten(3, 0, 100, 90), forgotten(4, 0, 100)])).toMatchObject({ outcome: "unclear" });
  });

  test("never have more rows than they can bring, nor fewer, and their rows are what arrived", () => {
    const two = [forgotten(3, 90, 100), forgotten(4, 95, 100), forgotten(5, 0, 0)];
    for (let arrived = -10; arrived <= 210; arrived += 1) {
      const verdict = judge(arrived, two);
      if (verdict.outcome !== "arrived") continue;
      const rows = two.map(({ task }) => verdict.rows.get(task) ?? -1n);
      expect(rows.reduce((total, each) => total + each, 0n)).toBe(BigInt(arrived));
      for (const [index, each] of two.entries()) {
        expect(rows[index]).toBeGreaterThanOrEqual(each.minimumRows);
        expect(rows[index]).toBeLessThanOrEqual(each.rows);
      }
    }
    expect(judge(185, two)).toMatchObject({ outcome: "arrived" });
    expect(judge(184, two)).toMatchObject({ outcome: "unclear" });
  });
});

test("forgotten deletes are waited for, submitted once more, and given up when that is forgotten too", () => {
  expect(judgeForgottenDeletes({ missedMilliseconds: 119_999, again: false })).toBe("wait");
  expect(judgeForgottenDeletes({ missedMilliseconds: 120_000, again: false })).toBe("submit-again");
  expect(judgeForgottenDeletes({ missedMilliseconds: 119_999, again: true })).toBe("wait");
  expect(judgeForgottenDeletes({ missedMilliseconds: 120_000, again: true })).toBe("give-up");
});
