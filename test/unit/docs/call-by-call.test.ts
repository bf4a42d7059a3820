import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { knownRows } from "../../tools/compare-calls/known.ts";

const text = readFileSync(new URL("../../../docs/compatibility.md", import.meta.url), "utf8");
const [, section = ""] = text.split("## Call by call");

describe("docs/compatibility.md, call by call", () => {
  it("has every difference that is meant, with its reason, and no other", () => {
    const [table = ""] = section.split("### Versions and features");
    const rows = table.split("\n").flatMap((line) =>
      line.startsWith("|")
        ? [
            line
              .split(/(?<!\\)\|/)
              .slice(1, -1)
              .map((cell) => cell.trim()),
          ]
        : [],
    );

    expect(rows.slice(2)).toEqual(knownRows());
  });
});
