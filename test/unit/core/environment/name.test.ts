import { describe, expect, test } from "vitest";
import {
  checkEnvironmentName,
  environmentNamePattern,
  toEnvironmentName,
} from "../../../../src/core/environment/name.ts";

describe("names of environments", () => {
  test.each(["prod", "milvus-2.4_a", "a".repeat(100)])("%s is one", (name) => {
    expect(checkEnvironmentName(name)).toBe(name);
  });

  test.each(["", "a b", "a/b", "a".repeat(101)])("%j is none", (name) => {
    expect(() => checkEnvironmentName(name)).toThrow(
      expect.objectContaining({
        name: "InvalidInput",
        message: `environment ${JSON.stringify(name)} is not a valid name: use 1 to 100 characters of [A-Za-z0-9_.-]`,
      }),
    );
  });

  test("any text becomes one", () => {
    expect(toEnvironmentName("mein Milvus (neu)")).toBe("mein-Milvus--neu-");
    expect(toEnvironmentName("a/".repeat(80))).toMatch(environmentNamePattern);
  });
});
