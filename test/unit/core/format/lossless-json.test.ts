import { stringify } from "lossless-json";
import { describe, expect, it } from "vitest";
import { parseJson } from "../../../../src/core/format/lossless-json.ts";

describe("parseJson", () => {
  it("keeps every digit of an integer above 2^53", () => {
    // act
    const parsed = parseJson('{"id":470615367219551002,"ratio":1.10}', "x.json");

    // assess
    expect(parsed).toMatchObject({ id: 470615367219551002n });
    expect(stringify(parsed)).toBe('{"id":470615367219551002,"ratio":1.10}');
  });

  it("takes the last of two equal keys, as Go does", () => {
    expect(parseJson('{"a":1,"a":2}', "x.json")).toEqual({ a: 2n });
  });

  it("names file, line and column of a syntax error", () => {
    expect(() => parseJson('{\n  "a": 1,\n  "b": oops\n}', "full_meta.json")).toThrow(
      expect.objectContaining({
        name: "CorruptBackup",
        message: expect.stringMatching(/^full_meta\.json is no valid JSON: line 3, column 8: /),
        details: { file: "full_meta.json", line: 3, column: 8 },
      }),
    );
  });

  it("takes nesting that overflows the stack as corrupt, not as a crash", () => {
    expect(() => parseJson("[".repeat(1_000_000), "full_meta.json")).toThrow(
      expect.objectContaining({ name: "CorruptBackup", message: expect.stringContaining("nested too deeply") }),
    );
  });
});
