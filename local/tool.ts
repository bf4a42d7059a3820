import { accessSync, constants, existsSync } from "node:fs";
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { execa } from "execa";
import { LocalStackError } from "./errors.ts";
import { logsDir, projectDir } from "./paths.ts";
import { endProcesses, markOf } from "./processes.ts";

/** How a tool runs: where its output goes and what may stop it. */
export interface ToolOptions {
  /** The log in .local/logs, without its ending. */
  log: string;
  signal: AbortSignal | undefined;
  env: Record<string, string | undefined>;
  /** The folder it runs in; the project's unless told otherwise. */
  cwd?: string;
}

/** Runs a program to its end with its output in a log; a failure shows the end of that log. */
export async function runTool(
  file: string,
  args: string[],
  { log, signal, env, cwd = projectDir }: ToolOptions,
): Promise<void> {
  signal?.throwIfAborted();
  await mkdir(logsDir, { recursive: true });
  const logFile = logFileOf(log);
  await appendFile(logFile, `$ ${[file, ...args].join(" ")}\n`);
  const output = { file: logFile, append: true };
  const result = await execa(file, args, {
    cwd,
    env: { ...env, ...markOf(log) },
    extendEnv: false,
    reject: false,
    stdin: "ignore",
    stdout: output,
    stderr: output,
    ...(signal && { cancelSignal: signal }),
  });
  if (signal?.aborted) {
    await endProcesses(log, 2_000); // what the tool itself had started
    signal.throwIfAborted();
  }
  if (result.failed) {
    throw new LocalStackError(
      `${log}: ${result.shortMessage}\n${lastRunIn(await tailOf(logFile, 30))}\n(all of it: ${logFile})`,
    );
  }
}

/** What the last of the commands in a log said. */
function lastRunIn(text: string): string {
  const lines = text.split("\n");
  return lines.slice(lines.findLastIndex((line) => line.startsWith("$ ")) + 1).join("\n");
}

/** Where a service or tool logs. */
export function logFileOf(name: string): string {
  return join(logsDir, `${name}.log`);
}

/** The last lines of a log. */
export async function tailOf(logFile: string, lines = 15): Promise<string> {
  if (!existsSync(logFile)) return "";
  return (await readFile(logFile, "utf8")).trimEnd().split("\n").slice(-lines).join("\n");
}

/** The first program of that name on the PATH. */
export function findProgram(name: string): string | undefined {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      // look further
    }
  }
  return undefined;
}
