import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { localDir, projectDir } from "./paths.ts";
import type { StepOutcome } from "./reporter.ts";
import { ensureVenv, pythonOf, type Venv } from "./venv.ts";

const pythonDir = join(localDir, "python");

/** The interpreter with the packages of requirements.txt. */
export const pythonFile = pythonOf({ directory: pythonDir });

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

const venv: Venv = {
  directory: pythonDir,
  requirementsFile: join(projectDir, "local", "requirements.txt"),
  called: "local/requirements.txt",
  log: "python",
  madeWith: unpackMilvus,
  async install(run) {
    await run(["-m", "pip", "install", "--no-input", "--requirement", this.requirementsFile]);
    await mkdir(milvusPackage.binDir, { recursive: true });
    await run(["-c", unpackMilvus, dirname(milvusPackage.binDir)]);
  },
};

/** Makes the virtual environment with the pinned packages, once for each state of requirements.txt. */
export async function ensurePython(signal: AbortSignal | undefined): Promise<StepOutcome> {
  return ensureVenv(venv, signal);
}
