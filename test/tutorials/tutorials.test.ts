import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { projectDir } from "../../local/paths.ts";
import { shell } from "../support/e2e/cli.ts";

const folder = join(projectDir, "docs");
const pages = [
  "first-day.md",
  ...readdirSync(join(folder, "tutorials"))
    .filter((file) => file.endsWith(".md"))
    .map((file) => join("tutorials", file)),
];

/** The commands of a page, in order: the lines of its `sh` blocks. */
function commandsOf(page: string): string[] {
  const blocks = [...readFileSync(join(folder, page), "utf8").matchAll(/^```sh\n(.*?)^```$/gms)];
  return blocks.flatMap(([, block = ""]) => block.replaceAll("\\\n", " ").split("\n")).filter((line) => line !== "");
}

describe.each(pages)("docs/%s", (page) => {
  const commands = commandsOf(page);

  it("has commands to run", () => {
    expect(commands.length).toBeGreaterThan(5);
  });

  it("runs as written, command by command, in one shell", async () => {
    // What an earlier run left, when it failed halfway.
    await shell(commands.filter((command) => / (delete|drop) |aws\.env/.test(command)).join("\n"));
    // What a shell of its own would not keep (exports, variables) is kept, as in the reader's.
    const script = [
      "set -e",
      ...commands.flatMap((command) => [`printf '\\n$ %s\\n' ${quote(command)}`, command]),
    ].join("\n");

    const { exitCode, stdout, stderr } = await shell(script);

    expect({ exitCode, output: exitCode === 0 ? "" : `${stdout}\n${stderr}` }).toEqual({ exitCode: 0, output: "" });
    const restores = commands.filter((command) => / restore /.test(command)).length;
    expect(stdout.match(/^Restored 1 collection of backup /gm) ?? []).toHaveLength(restores);
    expect(shown(stdout, "2997 rows")).toBe(commands.filter((command) => / show /.test(command)).length);
  });
});

describe("npm run demo", () => {
  it("shows a restored collection that finds what the source does, and measures it", async () => {
    const { exitCode, stdout, stderr } = await shell("npm run demo -- --no-deploy");

    expect({ exitCode, output: exitCode === 0 ? "" : `${stdout}\n${stderr}` }).toEqual({ exitCode: 0, output: "" });
    expect(stdout).toContain("The top tens agree at 100.0 % of their ranks");
    expect(stdout).toMatch(/copy Lambda: .+ in one file, initialised in .+ s/);
  });
});

/** How many `show` commands found every row. */
function shown(stdout: string, rows: string): number {
  return stdout.split("\n").filter((line) => line.includes("(ID ") && line.endsWith(rows)).length;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
