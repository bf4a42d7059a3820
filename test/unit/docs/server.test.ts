import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createRequest, restoreRequest } from "../../../cli/server/requests.ts";

const text = readFileSync(new URL("../../../docs/server.md", import.meta.url), "utf8");

/** The keys in the first column of the table below a heading. */
function keysBelow(heading: string): string[] {
  const [, after = ""] = text.split(`\n### ${heading}\n`);
  const [section = ""] = after.split("\n#");
  return [...section.matchAll(/^\| (`[^|]*`) +\| (?:same|differs|accepted|refused|ours) +\|/gm)].flatMap(
    ([, cell = ""]) => [...cell.matchAll(/`([^`]+)`/g)].map(([, key = ""]) => key),
  );
}

test.each([
  ["POST /create", createRequest],
  ["POST /restore", restoreRequest],
])("docs/server.md has every key of %s, and no other", (heading, schema) => {
  expect(keysBelow(heading).sort()).toEqual(Object.keys(schema.shape).sort());
});
