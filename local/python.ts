import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { LocalStackError } from "./errors.ts";
import { localDir, projectDir } from "./paths.ts";
import type { StepOutcome } from "./reporter.ts";
import { findProgram, runTool } from "./tool.ts";

const pythonDir = join(localDir, "python");
const requirementsFile = join(projectDir, "local", "requirements.txt");
/** Written last, so that a folder without it is a half-made one. */
const stampFile = join(pythonDir, "made-from");

/** The interpreter with the packages of requirements.txt. */
export const pythonFile = join(pythonDir, "bin", "python");

/** The Milvus server as the `milvus` package ships it, unpacked once for all servers. */
export const milvusPackage = {
  binDir: join(pythonDir, "milvus-server", "bin"),
  /** Its milvus.yaml, with `{{ name(type): default }}` where its launcher fills values in. */
  template: join(pythonDir, "milvus-server", "config.yaml.template"),
};

// The package holds its binaries compressed; its own function unpacks them where its launcher would.
const unpackMilvus = `
import os, shutil, sys, milvus
target = sys.argv[1]
milvus._initialize_data_files(target)
data = os.path.join(os.path.dirname(milvus.__file__), "data")
shutil.copy(os.path.join(data, "config.yaml.template"), target)
`;

/** Makes the virtual environment with the pinned packages, once for each state of requirements.txt. */
export async function ensurePython(signal: AbortSignal | undefined): Promise<StepOutcome> {
  const requirements = await readFile(requirementsFile, "utf8");
  const stamp = createHash("sha256").update(requirements).update(unpackMilvus).digest("hex");
  if (existsSync(stampFile) && (await readFile(stampFile, "utf8")) === stamp && existsSync(pythonFile)) {
    return { unchanged: true, detail: "packages of local/requirements.txt" };
  }
  const python = findProgram("python3");
  if (python === undefined) {
    throw new LocalStackError(
      "python3 is not on the PATH. Milvus and the AWS emulator are Python packages: install it.",
    );
  }
  await rm(pythonDir, { recursive: true, force: true });
  await mkdir(dirname(pythonDir), { recursive: true });
  const tool = { log: "python", signal, env: process.env };
  await runTool(python, ["-c", "import venv, ensurepip"], tool).catch((cause) => {
    signal?.throwIfAborted();
    throw new LocalStackError(
      `${python} has no venv module. Install it (Debian and Ubuntu: apt-get install python3-venv).`,
      { cause },
    );
  });
  await runTool(python, ["-m", "venv", pythonDir], tool);
  await runTool(pythonFile, ["-m", "pip", "install", "--no-input", "--requirement", requirementsFile], tool);
  await mkdir(milvusPackage.binDir, { recursive: true });
  await runTool(pythonFile, ["-c", unpackMilvus, dirname(milvusPackage.binDir)], tool);
  await writeFile(stampFile, stamp);
  return { detail: "installed the packages of local/requirements.txt" };
}
