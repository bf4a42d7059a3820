import { expect, test } from "vitest";
import { formatSummary, readVitestReport } from "../../support/run/summary.ts";

const file = (status: string, ...tests: string[]) => ({
  name: `${status}.test.ts`,
  status,
  assertionResults: tests.map((result, index) => ({ fullName: `${status} ${index}`, status: result })),
});

function report(...testResults: ReturnType<typeof file>[]): string {
  return JSON.stringify({ testResults });
}

test("a skipped and a todo test count as failed, by name", () => {
  const counts = readVitestReport(report(file("passed", "passed", "skipped", "todo")));

  expect(counts).toMatchObject({ passed: 1, failed: 2 });
  expect(counts.problems).toEqual([
    "skipped, which counts as failed: passed 1",
    "todo, which counts as failed: passed 2",
  ]);
});

test("a file that fails before its first test, or after its last, counts as one failure", () => {
  expect(readVitestReport(report(file("failed"), file("failed", "passed")))).toMatchObject({ passed: 1, failed: 2 });
});

test("a failed test is counted once, not with its file again", () => {
  expect(readVitestReport(report(file("failed", "passed", "failed")))).toMatchObject({ passed: 1, failed: 1 });
});

test("a run that found no test is a failure", () => {
  expect(readVitestReport(report())).toMatchObject({ passed: 0, failed: 1 });
});

test("what failed is named with the first line of its message, also where a hook did", () => {
  const text = JSON.stringify({
    testResults: [
      {
        name: "a.test.ts",
        status: "failed",
        assertionResults: [
          { fullName: "rows", status: "failed", failureMessages: ["\u001b[31mError: 3 missing\n at x"] },
        ],
      },
      {
        name: "b.test.ts",
        status: "failed",
        message: "no stack",
        assertionResults: [{ fullName: "load", status: "skipped", failureMessages: [] }],
      },
    ],
  });

  const counts = readVitestReport(text);

  expect(counts.failed).toBe(2);
  expect(counts.problems).toEqual([
    "rows: Error: 3 missing",
    "skipped, which counts as failed: load",
    "failed outside of its tests: b.test.ts: no stack",
  ]);
  expect(formatSummary([{ title: "e2e", counts, seconds: 1 }])).toContain("e2e: rows: Error: 3 missing\n");
});

test("the last line adds everything up", () => {
  const text = formatSummary([
    { title: "lint", counts: { passed: 1, failed: 0 }, seconds: 1 },
    { title: "unit", counts: { passed: 300, failed: 2 }, seconds: 12.345 },
  ]);

  expect(text.split("\n").at(-1)).toBe("301 passed, 2 failed");
  expect(text).toContain("FAILED  unit");
});
