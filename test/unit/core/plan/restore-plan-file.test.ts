import { describe, expect, test } from "vitest";
import { qualifiedName } from "../../../../src/core/milvus/names.ts";
import { namesOfRestore } from "../../../../src/core/plan/restore-names.ts";
import { inputOfPlan } from "../../../../src/core/plan/restore-plan-file.ts";

const inBackup = ["default.coll", "shop.carts", "shop.users"].map((name) => {
  const [database = "", collection = ""] = name.split(".");
  return { database, collection };
});

describe("inputOfPlan", () => {
  test("several names of one collection, each with what it is made with, and those of them that are wanted", () => {
    const input = inputOfPlan({
      mapping: [
        {
          source: "default",
          target: "default",
          colls: [
            { source: "coll", target: "coll_a", override: { shardNum: 2, description: "copy" } },
            { source: "coll", target: "coll_b", override: { shardNum: 0, description: "" } },
          ],
        },
        {
          source: "default",
          target: "other",
          withProp: true,
          colls: [{ source: "coll", target: "coll", override: { shardNum: 1 } }],
        },
      ],
      filter: { default: { colls: ["coll_a"] }, other: { colls: ["*"] } },
    });

    expect(input).toEqual({
      renames: { "default.coll": ["default.coll_a", "default.coll_b", "other.coll"] },
      targets: ["default.coll_a", "other.*"],
      overrides: { "default.coll_a": { shards: 2, description: "copy" }, "other.coll": { shards: 1 } },
    });
    const targets = namesOfRestore(inBackup, input).collections.map(({ target }) => qualifiedName(target));
    expect(targets).toEqual(["default.coll_a", "other.coll"]);
  });

  test("a database without collections is all of it", () => {
    const input = inputOfPlan({ mapping: [{ source: "shop", target: "shop2" }] });

    const targets = namesOfRestore(inBackup, input).collections.map(({ target }) => qualifiedName(target));
    expect(targets).toEqual(["default.coll", "shop2.carts", "shop2.users"]);
  });

  test.each<[string, unknown, string]>([
    ["no plan", "coll", "restore plan: input: expected object"],
    ["an unknown key", { mappings: [] }, 'restore plan: unknown key "mappings"; accepted: mapping, filter'],
    [
      "an unknown key of an override",
      { mapping: [{ source: "a", target: "b", colls: [{ source: "c", target: "d", override: { shards: 2 } }] }] },
      'restore plan: unknown key "shards" in mapping[0].colls[0].override; accepted: shardNum, description',
    ],
    ["no target", { mapping: [{ source: "db" }] }, "restore plan: mapping[0].target: "],
    [
      "a number of shards that is none",
      { mapping: [{ source: "a", target: "b", colls: [{ source: "c", target: "d", override: { shardNum: "2" } }] }] },
      "restore plan: mapping[0].colls[0].override.shardNum: expected number",
    ],
    ["a filter that picks nothing", { filter: { db: {} } }, "restore plan: filter picks no collection"],
  ])("%s", (_, plan, message) => {
    expect(() => inputOfPlan(plan)).toThrowError(
      expect.objectContaining({ name: "InvalidInput", message: expect.stringContaining(message) }),
    );
  });
});
