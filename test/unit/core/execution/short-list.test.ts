import { describe, expect, test } from "vitest";
import { shortList } from "../../../../src/core/execution/short-list.ts";

describe("shortList", () => {
  test("names what fits and counts the rest", () => {
    expect(shortList([])).toBe("");
    expect(shortList(["a", "b"])).toBe("a, b");
    expect(shortList(["a", "b", "c", "d"], { limit: 2, separator: "; " })).toBe("a; b; and 2 more");
  });
});
