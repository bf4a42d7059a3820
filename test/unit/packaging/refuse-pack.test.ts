import { execa } from "execa";
import { expect, test } from "vitest";
import { projectDir } from "../../../local/paths.ts";

const npm = (...args: string[]) => execa("npm", args, { cwd: projectDir, reject: false });

test("npm runs prepack before `npm run pack` too, which must not be refused", async () => {
  expect(await npm("run", "prepack")).toMatchObject({ exitCode: 0 });
});

test("npm pack of the working tree is refused, and told what to run", async () => {
  const { exitCode, stderr } = await npm("pack", "--dry-run");

  expect(exitCode).not.toBe(0);
  expect(stderr).toContain("npm run pack builds the package in dist/");
});
