import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";

const project = join(import.meta.dirname, "../../..");

/** A line of a real shell, in which `$CLI` is the command as a process. */
async function shell(line: string, env: Record<string, string> = {}) {
  const { exitCode, stdout, stderr } = await execa("bash", ["-o", "pipefail", "-c", line], {
    cwd: project,
    env: { CLI: `${process.execPath} cli/bin.js`, CI: "", NO_COLOR: "", FORCE_COLOR: "", ...env },
    reject: false,
  });
  return { exitCode, stdout, stderr };
}

describe("the command in a shell", () => {
  test("ends quietly where nobody reads on, on either stream", async () => {
    expect(await shell("$CLI --help | head -1")).toEqual({
      exitCode: 0,
      stdout: "Usage: milvus-backup [options] [command]",
      stderr: "",
    });
    // Node.js has the pipe's buffer; this reader is gone before the first word.
    expect(await shell("$CLI --help | true")).toMatchObject({ exitCode: 0, stderr: "" });
    expect(await shell("$CLI --config nowhere.yaml list 2>&1 | true")).toMatchObject({ exitCode: 1, stderr: "" });
  });

  test("says so, with exit code 1, where the result cannot be written", async () => {
    expect(await shell("$CLI completion bash > /dev/full")).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: expect.stringMatching(/^Error \(OutputFailed\): the result cannot be written: ENOSPC/),
    });
  });

  test.each([
    ["$CLI --config nowhere.yaml list", {}, false],
    ["$CLI --config nowhere.yaml list", { FORCE_COLOR: "1" }, true],
    ["$CLI --config nowhere.yaml list", { FORCE_COLOR: "1", NO_COLOR: "1" }, false],
    ["$CLI --no-color --config nowhere.yaml list", { FORCE_COLOR: "1" }, false],
    // on a terminal
    ["script -qec '$CLI --config nowhere.yaml list' /dev/null", { TERM: "xterm" }, true],
    ["script -qec '$CLI --config nowhere.yaml list' /dev/null", { TERM: "xterm", NO_COLOR: "1" }, false],
    ["script -qec '$CLI --config nowhere.yaml list' /dev/null", { TERM: "dumb" }, false],
  ])("%s with %j has colours: %s", async (line, env, colours) => {
    const { stdout, stderr } = await shell(line, env);

    expect(stdout + stderr).toContain("Error (ConfigNotFound):");
    expect((stdout + stderr).includes("\x1b[")).toBe(colours);
  });

  test("wraps its help at 100 columns in a pipe", async () => {
    const { stdout } = await shell("$CLI create --help | cat");

    const described = stdout.slice(0, stdout.indexOf("Examples:"));
    expect(Math.max(...described.split("\n").map(({ length }) => length))).toBeLessThanOrEqual(100);
  });
});
