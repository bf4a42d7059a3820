import { describe, expect, test } from "vitest";
import { shortHash, uuidOf } from "../../../../src/core/execution/deterministic-id.ts";

describe("deterministic IDs", () => {
  test("are the same for the same parts only, however the parts are cut", () => {
    expect(shortHash("a", "b")).toMatch(/^[0-9a-f]{12}$/);
    expect(shortHash("a", "b")).toBe(shortHash("a", "b"));
    expect(new Set([shortHash("a", "b"), shortHash("ab"), shortHash("b", "a"), shortHash("a", "", "b")]).size).toBe(4);
  });

  test("a UUID is one, of the version for custom content", () => {
    expect(uuidOf("backup", "x")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(uuidOf("backup", "x")).not.toBe(uuidOf("backup", "y"));
  });
});
