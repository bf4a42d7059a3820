import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { LocalStackError } from "./errors.ts";
import type { StepOutcome } from "./reporter.ts";
import { findProgram, runTool } from "./tool.ts";

/** A virtual environment of pinned Python packages. */
export interface Venv {
  readonly directory: string;
  /** The pinned packages, those they need among them. */
  readonly requirementsFile: string;
  /** How messages call that file. */
  readonly called: string;
  /** The log in .local/logs. */
  readonly log: string;
  /** What else its content depends on: made again when it changes. */
  readonly madeWith?: string;
  /** Installs into the empty environment. */
  install(run: (args: string[]) => Promise<void>): Promise<void>;
}

/** Its interpreter. */
export function pythonOf({ directory }: Pick<Venv, "directory">): string {
  return join(directory, "bin", "python");
}

/** Makes a virtual environment, once for each state of its requirements. */
export async function ensureVenv(venv: Venv, signal: AbortSignal | undefined): Promise<StepOutcome> {
  const { directory, requirementsFile, called, log } = venv;
  const requirements = await readFile(requirementsFile, "utf8");
  const stamp = createHash("sha256")
    .update(requirements)
    .update(venv.madeWith ?? "")
    .digest("hex");
  /** Written last, so that a folder without it is a half-made one. */
  const stampFile = join(directory, "made-from");
  if (existsSync(stampFile) && (await readFile(stampFile, "utf8")) === stamp && existsSync(pythonOf(venv))) {
    return { unchanged: true, detail: `packages of ${called}` };
  }
  const python = findProgram("python3");
  if (python === undefined) {
    throw new LocalStackError(
      "python3 is not on the PATH. Milvus, the AWS emulator and the linters are Python packages: install it.",
    );
  }
  await rm(directory, { recursive: true, force: true });
  await mkdir(dirname(directory), { recursive: true });
  const tool = { log, signal, env: process.env };
  await runTool(python, ["-c", "import venv, ensurepip"], tool).catch((cause) => {
    signal?.throwIfAborted();
    throw new LocalStackError(
      `${python} has no venv module. Install it (Debian and Ubuntu: apt-get install python3-venv).`,
      { cause },
    );
  });
  await runTool(python, ["-m", "venv", directory], tool);
  await venv.install((args) => runTool(pythonOf(venv), args, tool));
  await writeFile(stampFile, stamp);
  return { detail: `installed the packages of ${called}` };
}
