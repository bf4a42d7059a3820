import { describe, expect, test } from "vitest";
import { leftOver, notCarriedOf, refusalOf } from "../../../../src/core/milvus/not-carried.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { field, int64 } from "../../../support/milvus-fields.ts";

describe("what is left over of a message", () => {
  test("is neither what is carried, nor what is the server's own, nor what is zero", () => {
    const schema = { name: "docs", dbName: "default", version: 3, enable_namespace: true, do_physical_backfill: false };

    expect(leftOver("CollectionSchema", { ...schema, file_resource_ids: [] })).toEqual([]);
    expect(leftOver("CollectionSchema", { ...schema, file_resource_ids: ["7"], do_physical_backfill: true })).toEqual([
      "do_physical_backfill of CollectionSchema",
      "file_resource_ids of CollectionSchema",
    ]);
  });

  test("names the field it is about", () => {
    expect(leftOver("FieldSchema", { name: "vec", is_clustering_key: true, warm: "hot" }, "vec")).toEqual([
      "warm of FieldSchema vec",
    ]);
  });

  test.each([false, 0, "0", "", null, undefined, [], new Uint8Array(), {}, { a: 0, b: "" }])(
    "%j is nothing",
    (value) => {
      expect(leftOver("FieldSchema", { other: value })).toEqual([]);
    },
  );
});

test("what is said of a collection and its indexes is said once", () => {
  const description = collectionDescription("docs", { notCarried: ["a", "b"] });
  const index = { id: "1", fieldName: "vec", indexName: "vec_idx", params: {}, notCarried: ["b", "c"] };

  expect(notCarriedOf(description, [index, index])).toEqual(["a", "b", "c"]);
  expect(notCarriedOf(collectionDescription("docs"), [])).toEqual([]);
});

describe("a collection that is refused", () => {
  const external = field("day", int64, { externalField: "day_column" });

  test.each([
    ["external", { schema: { externalSource: "s3://lake/docs/?secret" } }, "is an external collection"],
    ["external by its spec", { schema: { externalSpec: "{}" } }, "is an external collection"],
    ["external by a field", { schema: { fields: [external] } }, "is an external collection"],
    ["with namespaces", { schema: { enableNamespace: true } }, "has namespaces"],
    [
      "with the property of namespaces",
      { properties: [{ key: "namespace.enabled", value: "True" }] },
      "has namespaces",
    ],
  ])("%s", (_, rest, why) => {
    const refusal = refusalOf(collectionDescription("docs", rest));

    expect(refusal).toContain(`default.docs ${why}`);
    // it may hold credentials
    expect(refusal).not.toContain("secret");
  });

  test("is no other", () => {
    expect(refusalOf(collectionDescription("docs"))).toBeUndefined();
    const off = [{ key: "namespace.enabled", value: "false" }];
    expect(refusalOf(collectionDescription("docs", { schema: { properties: off } }))).toBeUndefined();
  });
});
