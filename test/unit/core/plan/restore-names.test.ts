import { describe, expect, test } from "vitest";
import { checkMilvusName, qualifiedName } from "../../../../src/core/milvus/names.ts";
import { namesOfRestore, restoreIdOf, workingName } from "../../../../src/core/plan/restore-names.ts";

const coll = { database: "default", collection: "coll" };
const carts = { database: "shop", collection: "carts" };
const inBackup = [coll, carts];

describe("namesOfRestore", () => {
  test("appends the suffix to everything that is not renamed", () => {
    const { collections: named } = namesOfRestore(inBackup, { suffix: "_bak", renames: { "shop.carts": "baskets" } });

    expect(named).toEqual([
      { source: coll, target: { database: "default", collection: "coll_bak" } },
      { source: carts, target: { database: "shop", collection: "baskets" } },
    ]);
  });

  test("renames across databases and selects", () => {
    expect(namesOfRestore(inBackup, { collections: ["coll"], renames: { coll: "shop.coll2" } }).collections).toEqual([
      { source: coll, target: { database: "shop", collection: "coll2" } },
    ]);
  });

  test("gives one collection several names, in the order they are given", () => {
    const { collections: named } = namesOfRestore([coll], { renames: { coll: ["a", "shop.b"] }, suffix: "_bak" });

    expect(named.map(({ target }) => target)).toEqual([
      { database: "default", collection: "a" },
      { database: "shop", collection: "b" },
    ]);
  });

  test.each([
    ["a name", ["coll_bak"], ["default.coll_bak"]],
    ["a database", ["shop.*"], ["shop.carts_bak"]],
  ])("targets picks by the names in the target: %s", (_, targets, expected) => {
    const { collections: named } = namesOfRestore(inBackup, { suffix: "_bak", targets });

    expect(named.map(({ target }) => qualifiedName(target))).toEqual(expected);
  });

  test("of several names of one collection those that are picked", () => {
    const { collections: named } = namesOfRestore(inBackup, {
      renames: { coll: ["a", "b", "shop.c"] },
      targets: ["b", "shop.c"],
    });

    expect(named.map(({ target }) => qualifiedName(target))).toEqual(["default.b", "shop.c"]);
  });

  test.each([
    ["db.* to db2.*", { "shop.*": "shop2.*" }, ["default.coll_bak", "shop2.carts"]],
    ["milvus-backup's db. to db2.", { "shop.": "shop2." }, ["default.coll_bak", "shop2.carts"]],
    ["a database to two", { "default.*": ["a.*", "b.*"] }, ["a.coll", "b.coll", "shop.carts_bak"]],
    [
      "a database, but for what has a name of its own",
      { "shop.*": "shop2.*", "shop.carts": "baskets" },
      ["default.coll_bak", "shop.baskets"],
    ],
  ])("renames %s; what is renamed gets no suffix", (_, renames, targets) => {
    const { collections: named } = namesOfRestore(inBackup, { renames, suffix: "_bak" });

    expect(named.map(({ target }) => qualifiedName(target))).toEqual(targets);
  });

  test.each([
    [
      "a rename of what is not selected",
      { collections: ["coll"], renames: { "shop.carts": "x" } },
      "renames: shop.carts is not among",
    ],
    [
      "two renames of one collection",
      { renames: { coll: "x", "default.coll": "y" } },
      "renames: default.coll is named twice",
    ],
    [
      "two collections with one name",
      { renames: { "shop.carts": "default.coll" } },
      "renames: default.coll and shop.carts would both become",
    ],
    [
      "a rename of a database of which nothing is selected",
      { collections: ["coll"], renames: { "shop.*": "shop2.*" } },
      "renames: shop.* is not among",
    ],
    ["one database twice", { renames: { "shop.*": "a.*", "shop.": "b." } }, "renames: shop.* is named twice"],
    ["one name twice", { renames: { coll: ["a", "a"] } }, "renames: default.coll would become default.a twice"],
    ["no name", { renames: { coll: [] } }, "renames: default.coll has no name to get"],
    [
      "a collection as a database",
      { renames: { coll: "shop2.*" } },
      'renames: default.coll to "shop2.*": a collection',
    ],
    ["a database as a collection", { renames: { "shop.*": "carts2" } }, 'renames: shop.* to "carts2": a collection'],
    ["a star without a database", { renames: { "*": "a.*" } }, 'renames: collection name "*"'],
    [
      "a target by its name in the backup",
      { suffix: "_bak", targets: ["coll"] },
      "targets: this restore gives no collection the name default.coll; it makes default.coll_bak, shop.carts_bak",
    ],
    ["a target that is no name", { targets: ["a.b.c"] }, 'targets: "a.b.c" is not valid'],
    [
      "an override by its name in the backup",
      { suffix: "_bak", overrides: { coll: { shards: 1 } } },
      "overrides: coll is no name that this restore gives",
    ],
    [
      "two overrides of one collection",
      { overrides: { coll: { shards: 1 }, "default.coll": { shards: 2 } } },
      "overrides: coll and default.coll name one collection",
    ],
    ["a suffix that Milvus does not take", { suffix: "-bak" }, 'suffix "-bak" is not valid'],
    ["a rename that Milvus does not take", { renames: { coll: "shop.2nd" } }, 'renames: collection name "2nd"'],
    [
      "a rename into a database without a valid name",
      { renames: { coll: "my-shop.c" } },
      'renames: database name "my-shop"',
    ],
  ])("refuses %s, naming the key", (_, input, message) => {
    expect(() => namesOfRestore(inBackup, input)).toThrow(
      expect.objectContaining({ name: "InvalidInput", message: expect.stringContaining(message) }),
    );
  });

  test("a message about a thousand collections stays short", () => {
    const many = Array.from({ length: 1000 }, (_, index) => ({ database: "default", collection: `c${index}` }));

    expect(() => namesOfRestore(many, { renames: { other: "x" } })).toThrow(/default\.c9, and 990 more/);
  });
});

describe("a database without collections", () => {
  const archive = { database: "archive", collection: "*" };
  const databasesOf = (input: Parameters<typeof namesOfRestore>[1]) =>
    namesOfRestore([...inBackup, archive], input).databases.map(({ source, target }) => `${source}>${target}`);

  test.each([
    ["everything, whatever suffix collections get", { suffix: "_bak" }, ["archive>archive"]],
    ["what is picked as a whole", { collections: ["archive.*", "coll"] }, ["archive>archive"]],
    ["not what only others are picked of", { collections: ["coll"] }, []],
    ["its new name", { renames: { "archive.*": "old.*" } }, ["archive>old"]],
    ["several of them", { renames: { "archive.": ["old.", "older.*"] } }, ["archive>old", "archive>older"]],
    ["picked by the name in the target", { renames: { "archive.*": "old.*" }, targets: ["old.*"] }, ["archive>old"]],
    ["not what the target leaves out", { targets: ["default.*"] }, []],
    ["the database that others come into", { renames: { "archive.*": "shop.*" } }, ["archive>shop"]],
  ])("is restored: %s", (_, input, expected) => {
    expect(databasesOf(input)).toEqual(expected);
  });

  test("is no collection", () => {
    expect(namesOfRestore([archive], {}).collections).toEqual([]);
    expect(() => namesOfRestore([archive], { renames: { "archive.x": "y" } })).toThrow(
      "renames: archive.x is not among the collections to restore (archive.*)",
    );
    expect(() => namesOfRestore([archive], { targets: ["archive.x"] })).toThrow(
      "targets: this restore gives no collection the name archive.x; it makes archive.*",
    );
  });
});

describe("restoreIdOf", () => {
  const names = namesOfRestore(inBackup, { suffix: "_bak" });
  const id = restoreIdOf("arn:machine", "a:19530", "uuid", "nightly", names);

  test("is the same for the same names in whatever order, and another for anything else", () => {
    expect(
      restoreIdOf("arn:machine", "a:19530", "uuid", "nightly", {
        ...names,
        collections: [...names.collections].reverse(),
      }),
    ).toBe(id);
    const others = [
      restoreIdOf("arn:machine", "b:19530", "uuid", "nightly", names),
      restoreIdOf("arn:machine", "a:19530", "uuid2", "nightly", names),
      restoreIdOf("arn:machine", "a:19530", "uuid", "nightly", { ...names, collections: names.collections.slice(1) }),
      restoreIdOf("arn:machine", "a:19530", "uuid", "nightly", namesOfRestore(inBackup, { suffix: "_2" })),
      restoreIdOf("arn:another deployment", "a:19530", "uuid", "nightly", names),
    ];
    expect(new Set([id, ...others]).size).toBe(6);
  });

  test("goes by databases only where there is nothing else", () => {
    const idOf = (of: typeof names) => restoreIdOf("arn:machine", "a:19530", "uuid", "nightly", of);
    const databases = [{ source: "archive", target: "archive" }];

    expect(idOf({ ...names, databases })).toBe(id);
    expect(idOf({ collections: [], databases })).not.toBe(idOf({ collections: [], databases: [] }));
  });
});

describe("workingName", () => {
  const working = (collection: string) => workingName({ database: "shop", collection }, "0123456789ab");

  test("says what it is for", () => {
    expect(working("coll_bak")).toEqual({ database: "shop", collection: "coll_bak_restoring_0123456789ab" });
  });

  test("is valid, and another one for each of two names that begin alike, however long they are", () => {
    const [a, b] = [working(`${"n".repeat(254)}a`).collection, working(`${"n".repeat(254)}b`).collection];

    expect(a).not.toBe(b);
    for (const name of [a, b]) expect(checkMilvusName("collection", name)).toHaveLength(255);
  });
});
