import { describe, expect, test } from "vitest";
import {
  checkBackupName,
  checkMilvusName,
  isSelected,
  parseCollectionSelector,
  parseQualifiedName,
  qualifiedName,
} from "../../../../src/core/milvus/names.ts";

describe("checkBackupName", () => {
  test.each(["my_backup", "nightly-2026.11.21", "a".repeat(100)])("takes %s", (name) => {
    expect(checkBackupName(name)).toBe(name);
  });

  test.each(["", "my backup", "a/b", "../other", "..", ".", "naïve", "a".repeat(101)])(
    "refuses %j, naming it",
    (name) => {
      expect(() => checkBackupName(name)).toThrow(
        expect.objectContaining({
          name: "InvalidInput",
          message: expect.stringContaining(`backupName ${JSON.stringify(name)}`),
          details: { key: "backupName" },
        }),
      );
    },
  );

  test.each(["milvus-backup-segments", "milvus-backup-report.html"])(
    "refuses %s, which lies beside backups",
    (name) => {
      expect(() => checkBackupName(name)).toThrow(`backupName ${name} is taken`);
    },
  );
});

describe("checkMilvusName", () => {
  test.each(["coll", "_x", "A1_b", "a".repeat(255)])("takes %s", (name) => {
    expect(checkMilvusName("collection", name)).toBe(name);
  });

  test.each(["", "1coll", "coll-bak", "coll bak", "a.b", "a".repeat(256)])("refuses %j", (name) => {
    expect(() => checkMilvusName("collection", name)).toThrow(/^collection name .* is not valid in Milvus/);
  });

  test("names the key of the input that the name was made from", () => {
    expect(() => checkMilvusName("collection", "coll-bak", "suffix")).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^suffix: /), details: { key: "suffix" } }),
    );
  });
});

describe("qualified names", () => {
  test.each([
    ["coll", "default", "coll"],
    ["shop.coll", "shop", "coll"],
    [".coll", "default", "coll"],
    ["a.b.c", "a", "b.c"],
  ])("%s is %s and %s", (text, database, collection) => {
    expect(parseQualifiedName(text)).toEqual({ database, collection });
  });

  test("a database without a name is the default one", () => {
    expect(qualifiedName({ database: "", collection: "coll" })).toBe("default.coll");
  });
});

describe("selectors", () => {
  test.each(["*", "shop.", "*.coll", "shop.c*", "a.b.c", "shop/coll", ""])(
    "%j is refused with the accepted forms",
    (text) => {
      expect(() => parseCollectionSelector(text)).toThrow(
        expect.objectContaining({
          name: "InvalidInput",
          message: expect.stringContaining("use coll (database default), db.coll or db.*"),
          details: { key: "collections" },
        }),
      );
    },
  );

  test("select by name, by database, or everything where there are none", () => {
    const cart = { database: "shop", collection: "carts" };
    const selects = (text: string, name: { database: string; collection: string }) =>
      isSelected([parseCollectionSelector(text)], name);

    expect(selects("shop.carts", cart)).toBe(true);
    expect(selects("shop.*", cart)).toBe(true);
    expect(selects("carts", cart)).toBe(false);
    expect(selects("default.*", { database: "", collection: "coll" })).toBe(true);
    expect(isSelected([], cart)).toBe(true);
  });
});
