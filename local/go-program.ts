import { accessSync, constants } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { LocalStackError } from "./errors.ts";
import { localDir } from "./paths.ts";
import { type Reporter, type StepOutcome, silent } from "./reporter.ts";
import { findProgram, runTool } from "./tool.ts";

/** A server that is built from its Go module. */
export interface GoProgram {
  /** Where it lies: what the variable names, or what is built here. */
  file(): string;
  /** Builds it, once for each version; does nothing where the variable names one. @throws LocalStackError with what to do */
  ensure(options?: { reporter?: Reporter; signal?: AbortSignal | undefined }): Promise<StepOutcome>;
}

/**
 * @param program.folder below `.local`, for all versions
 * @param program.variable that names a server to use in place of building one
 */
export function goProgram(program: {
  step: string;
  title: string;
  module: string;
  version: string;
  program: string;
  folder: string;
  variable: string;
}): GoProgram {
  const { step, title, module, version, variable } = program;
  const cached = join(localDir, program.folder, version, program.program);
  const file = () => process.env[variable] || cached;
  return {
    file,
    async ensure({ reporter = silent, signal } = {}) {
      const binary = file();
      if (isExecutable(binary)) return { unchanged: true, detail: binary };
      if (binary !== cached) {
        throw new LocalStackError(`${variable} is ${binary}, which is not there or cannot be executed.`);
      }
      const go = findProgram("go");
      if (go === undefined) {
        throw new LocalStackError(
          `go is not on the PATH. ${title} is built from its Go module: install Go, or name a ${title} server in ${variable}.`,
        );
      }
      reporter({ step, state: "note", detail: `building ${version}, some minutes the first time` });
      // Built aside and moved: a build that was interrupted, or another one at the same time, leaves nothing half-made.
      const aside = `${dirname(binary)}.${process.pid}`;
      try {
        await runTool(go, ["install", `${module}@${version}`], {
          log: `${step}-build`,
          signal,
          env: { ...process.env, GOBIN: aside, CGO_ENABLED: "0" },
        });
        await mkdir(dirname(binary), { recursive: true });
        await rename(join(aside, program.program), binary);
      } finally {
        await rm(aside, { recursive: true, force: true });
      }
      return { detail: `built ${version}` };
    },
  };
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
