import { stripVTControlCharacters } from "node:util";
import * as z from "zod";

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  /** What did not pass, a line each: its name and the first line of its message. */
  readonly problems?: readonly string[];
}

/** More lines would push the sections out of sight, where only the end of an output is kept. */
const maxProblems = 12;

/** What is used of vitest's JSON report. */
const vitestReport = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string().optional(),
      assertionResults: z.array(
        z.object({ fullName: z.string(), status: z.string(), failureMessages: z.array(z.string()).nullish() }),
      ),
    }),
  ),
});

/**
 * Counts the tests in vitest's JSON report. Whatever did not pass counts as failed: skipped and todo tests too, and a file that
 * failed before its first test.
 */
export function readVitestReport(text: string): Counts & { readonly problems: readonly string[] } {
  const { testResults } = vitestReport.parse(JSON.parse(text));
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  const failed = tests.filter(({ status }) => status === "failed");
  const notRun = tests.filter(({ status }) => status !== "passed" && status !== "failed");
  const broken = testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.every((test) => test.status === "passed"),
  );
  const passed = tests.filter(({ status }) => status === "passed").length;
  return {
    passed,
    failed: tests.length - passed + broken.length + (testResults.length === 0 ? 1 : 0),
    problems: [
      ...failed.map(({ fullName, failureMessages }) => `${fullName}: ${firstLine(failureMessages?.[0])}`),
      ...notRun.map(({ fullName, status }) => `${status}, which counts as failed: ${fullName}`),
      ...testResults.flatMap((file) =>
        broken.includes(file) || (file.status === "failed" && file.message)
          ? [`failed outside of its tests: ${file.name}${file.message ? `: ${firstLine(file.message)}` : ""}`]
          : [],
      ),
      ...(testResults.length === 0 ? ["no test was found, which counts as failed"] : []),
    ],
  };
}

export function totalOf(counts: readonly Counts[]): Counts {
  return {
    passed: counts.reduce((sum, { passed }) => sum + passed, 0),
    failed: counts.reduce((sum, { failed }) => sum + failed, 0),
  };
}

function firstLine(message = ""): string {
  const line = stripVTControlCharacters(message).trim().split("\n", 1)[0] ?? "";
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}

/** What failed, a line each, then a line a section, and `N passed, N failed` as the last one. */
export function formatSummary(
  sections: readonly { readonly title: string; readonly counts: Counts; readonly seconds: number }[],
): string {
  const width = Math.max(...sections.map(({ title }) => title.length));
  const lines = sections.map(({ title, counts, seconds }) => {
    const { passed, failed } = counts;
    const result = `${String(passed).padStart(5)} passed ${String(failed).padStart(4)} failed`;
    return `${failed === 0 ? "ok    " : "FAILED"}  ${title.padEnd(width)}  ${result}  ${seconds.toFixed(1).padStart(6)} s`;
  });
  const total = totalOf(sections.map(({ counts }) => counts));
  const problems = sections.flatMap(({ title, counts }) =>
    (counts.problems ?? []).map((problem) => `${title}: ${problem}`),
  );
  const more = problems.length - maxProblems;
  return [
    ...problems.slice(0, maxProblems),
    ...(more > 0 ? [`and ${more} more`] : []),
    ...lines,
    `${total.passed} passed, ${total.failed} failed`,
  ].join("\n");
}
