import { describe, expect, test } from "vitest";
import { checkMilvusName } from "../../../../src/core/milvus/names.ts";
import {
  chooseCandidate,
  countProblem,
  drillNames,
  drillRestoreExecution,
  dropOf,
} from "../../../../src/core/plan/drill.ts";
import { namesOfRestore } from "../../../../src/core/plan/restore-names.ts";

const executionArn = "arn:aws:states:us-east-1:000000000000:execution:MilvusBackup-drill:one";
const at = { executionArn, startTime: "2026-11-28T13:30:17.000Z" };
const name = (database: string, collection: string) => ({ database, collection });

describe("names of a drill", () => {
  const targets = (...collections: readonly ReturnType<typeof name>[]) => {
    const { suffix, renames } = drillNames(collections, at);
    return namesOfRestore(collections, { suffix, renames }).collections.map(({ target }) => target);
  };

  test("end in its date and a hash of its own, and all lie in the default database", () => {
    expect(targets(name("default", "coll"), name("shop", "carts"))).toEqual([
      name("default", expect.stringMatching(/^coll_drill_20261128_[0-9a-f]{8}$/) as unknown as string),
      name("default", expect.stringMatching(/^shop_carts_drill_20261128_[0-9a-f]{8}$/) as unknown as string),
    ]);
  });

  test("are the same for every run of one drill, and no two drills'", () => {
    const [first] = targets(name("default", "coll"));
    const other = drillNames([name("default", "coll")], { ...at, executionArn: `${executionArn}2` });

    expect(targets(name("default", "coll"))).toEqual([first]);
    expect(first?.collection).not.toBe(`coll${other.suffix}`);
  });

  test("are distinct where a database and a collection make the same name", () => {
    const made = targets(
      name("default", "shop_carts"),
      name("shop", "carts"),
      name("shop_carts", "x"),
      name("shop", "carts_x"),
    );

    expect(new Set(made.map(({ collection }) => collection)).size).toBe(4);
  });

  test("are such as Milvus takes, however long the collections'", () => {
    for (const database of ["default", "shop"]) {
      for (const length of [230, 254, 255]) {
        const long = [name(database, "a".repeat(length)), name(database, `${"a".repeat(length - 1)}b`)];
        const made = targets(...long);

        for (const { collection } of made) expect(checkMilvusName("collection", collection)).toBe(collection);
        expect(new Set(made.map(({ collection }) => collection)).size).toBe(2);
      }
    }
  });

  test("of the execution that restores: at most 80 characters that CloudWatch shows", () => {
    expect(drillRestoreExecution("nightly.1", executionArn)).toMatch(/^drill-nightly_1-[0-9a-f]{12}$/);
    expect(drillRestoreExecution("n".repeat(100), executionArn)).toHaveLength(80);
  });
});

describe("which backup", () => {
  const candidates = [
    { name: "b", created: new Date("2026-11-02") },
    { name: "c", created: undefined },
    { name: "a", created: new Date("2026-11-03") },
  ];

  test("the newest; one of which nobody knows when it was made comes last", () => {
    expect(chooseCandidate(candidates, "newest", executionArn)?.name).toBe("a");
    expect(chooseCandidate(candidates.slice(1, 2), "newest", executionArn)?.name).toBe("c");
    expect(chooseCandidate([], "newest", executionArn)).toBeUndefined();
    expect(chooseCandidate([], "random", executionArn)).toBeUndefined();
  });

  test("a random one does not depend on the order in which they are found", () => {
    const reversed = [...candidates].reverse();

    expect(chooseCandidate(reversed, "random", executionArn)).toBe(chooseCandidate(candidates, "random", executionArn));
  });
});

describe("what is dropped", () => {
  const standing = (id: string, alias = false) => ({ id, alias, aliases: [] });
  const at = (under: "working" | "target", isEmpty = false) => ({ name: under, isEmpty });

  test.each([
    ["the very collection that was noted", dropOf("7", standing("7"), at("target")), "drop"],
    ["the same under its working name", dropOf("7", standing("7"), at("working")), "drop"],
    ["another one under its name", dropOf("7", standing("8"), at("target")), "foreign"],
    ["another empty one under its working name", dropOf("7", standing("8"), at("working", true)), "foreign"],
    ["an alias of it", dropOf("7", standing("7", true), at("target")), "foreign"],
    ["nothing", dropOf("7", undefined, at("target")), "leave"],
    [
      "an empty one that nobody noted, under the working name",
      dropOf(undefined, standing("9"), at("working", true)),
      "drop",
    ],
    ["one with rows that nobody noted", dropOf(undefined, standing("9"), at("working")), "foreign"],
    ["one that nobody noted, under the target name", dropOf(undefined, standing("9"), at("target", true)), "foreign"],
  ])("%s", (_, what, expected) => {
    expect(what).toBe(expected);
  });
});

test("rows are as many as the restore brought, fewer only where the backup holds L0 segments", () => {
  expect(countProblem(10n, 10n, false)).toBeUndefined();
  expect(countProblem(10n, 9n, true)).toBeUndefined();
  expect(countProblem(10n, 9n, false)).toContain("counts 9 rows");
  expect(countProblem(10n, 11n, true)).toContain("counts 11 rows");
});
