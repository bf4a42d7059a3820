import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { type Counts, readVitestReport } from "./summary.ts";

export type { Counts } from "./summary.ts";

const projectDir = fileURLToPath(new URL("../../../", import.meta.url));

/** How a tool runs beside another one. */
interface Manner {
  readonly env?: Readonly<Record<string, string>>;
  /** Its output comes as a whole when it has ended, below this title, not in between another's. */
  readonly heldBelow?: string;
  /** It gets the cores that are left: what waits for servers beside it does not wait for this as well. */
  readonly yielding?: boolean;
}

/** A tool of the project, output passed on as it comes; never waits for input. */
async function runTool(tool: string, args: readonly string[], { env = {}, heldBelow, yielding }: Manner = {}) {
  const file = join(projectDir, "node_modules/.bin", tool);
  const [command, all] = yielding ? ["nice", ["-n", "10", file, ...args]] : [file, args];
  const options = { cwd: projectDir, reject: false, stdin: "ignore", env } as const;
  if (heldBelow === undefined) {
    return execa(command, all, { ...options, stdout: ["inherit", "pipe"], stderr: ["inherit", "pipe"] });
  }
  const result = await execa(command, all, { ...options, all: true });
  console.log(`\n=== ${heldBelow}\n\n${result.all}`);
  return result;
}

/**
 * Runs a tool that finds something wrong or does not: one check.
 * @param options.unlike output that means the check did not really run
 */
export async function runCheck(
  tool: string,
  args: readonly string[],
  options: { unlike?: RegExp } = {},
): Promise<Counts> {
  const result = await runTool(tool, args);
  const passed = result.exitCode === 0 && !(options.unlike?.test(result.stdout) ?? false);
  if (passed) return { passed: 1, failed: 0 };
  const why = result.exitCode === 0 ? "it looked at nothing" : result.shortMessage;
  return { passed: 0, failed: 1, problems: [`${tool} failed: ${why}`] };
}

/** Runs one vitest project and counts its tests from vitest's own report; a run without a report is one failure. */
export async function runTests(project: string, manner: Manner = {}): Promise<Counts> {
  const folder = await mkdtemp(join(tmpdir(), "milvus-backup-tests-"));
  const report = join(folder, "report.json");
  try {
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const { exitCode } = await runTool("vitest", ["run", "--project", project, ...reporters], manner);
    const counts = readVitestReport(await readFile(report, "utf8"));
    // Errors outside of any test (an unhandled rejection) show in the exit code only.
    return exitCode !== 0 && counts.failed === 0
      ? { ...counts, failed: 1, problems: ["an error outside of any test"] }
      : counts;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
