import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const projectDir = fileURLToPath(new URL("../../../", import.meta.url));
const read = (path: string) => readFileSync(`${projectDir}${path}`, "utf8");
const files = globSync("test/**/*.test.ts", { cwd: projectDir });

/** What a row of the tables of docs/reliability.md names: files, and the beginnings, ends or middles of tests in them. */
const named = read("docs/reliability.md")
  .split("\n")
  .filter((line) => line.startsWith("|"))
  .flatMap((line) => (line.split(/(?<!\\)\|/).at(-2) ?? "").split(";"))
  .flatMap((part) => {
    const paths = [...part.matchAll(/[\w/.-]+\.test\.ts/g)].map(([path]) => path);
    const tests = [...part.matchAll(/"([^"]+)"/g)].flatMap(([, name = ""]) => name.split("..."));
    return paths.length === 0 ? [] : [{ paths, tests: tests.map((name) => name.trim()).filter(Boolean) }];
  });

/** A file is named by as much of its path as tells it from others. */
const fileOf = (path: string) => files.filter((file) => `/${file}`.endsWith(`/${path}`));

describe("docs/reliability.md", () => {
  test("names hundreds of tests, by files that there are", () => {
    expect(named.length).toBeGreaterThan(200);
    expect(named.flatMap(({ paths }) => paths.filter((path) => fileOf(path).length === 0))).toEqual([]);
  });

  test("names tests that there are", () => {
    const gone = named.flatMap(({ paths, tests }) => {
      const texts = paths.flatMap(fileOf).map(read);
      return tests.filter((name) => !texts.some((text) => text.includes(name))).map((name) => ({ paths, name }));
    });

    expect(gone).toEqual([]);
  });
});
