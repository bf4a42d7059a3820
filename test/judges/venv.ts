import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { localDir } from "../../local/paths.ts";
import { ensureVenv, pythonOf, type Venv } from "../../local/venv.ts";

const directory = join(localDir, "judges");

/** The interpreter with the packages of requirements.txt. */
export const judgesPython = pythonOf({ directory });

/** A command that one of the packages brings. */
export function judge(name: "cfn-lint" | "checkov"): string {
  return join(directory, "bin", name);
}

const venv: Venv = {
  directory,
  requirementsFile: join(import.meta.dirname, "requirements.txt"),
  called: "test/judges/requirements.txt",
  log: "judges",
  async install(run) {
    const [uv] = /^uv==.*$/m.exec(await readFile(this.requirementsFile, "utf8")) ?? [];
    if (uv === undefined) throw new Error(`${this.called} does not pin uv`);
    await run(["-m", "pip", "install", "--no-input", uv]);
    const python = ["--python", judgesPython];
    await run(["-m", "uv", "pip", "install", ...python, "--requirement", this.requirementsFile]);
  },
};

/** Before any test of the project: its judges are there. */
export default async function setup(): Promise<void> {
  await ensureVenv(venv, undefined);
}
