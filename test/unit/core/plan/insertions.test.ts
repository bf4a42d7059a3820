import { describe, expect, test } from "vitest";
import {
  type CollectionBackup,
  type CollectionSchema,
  collectionSchema,
  type FieldSchema,
  fieldSchema,
  partitionBackup,
  type SegmentBackup,
} from "../../../../src/core/format/meta.ts";
import { features } from "../../../../src/core/milvus/version.ts";
import { type InsertionRules, partitionsToInsert, smallPartition } from "../../../../src/core/plan/insertions.ts";
import { outlineOf } from "../../../support/outlines.ts";
import { collectionRecord, segmentRecord } from "../../../support/segment-records.ts";

const rules: InsertionRules = {
  features: features("2.3.5"),
  asked: undefined,
  isOurs: true,
  mayStream: true,
  shards: 2,
};
const key = fieldSchema.create({ fieldID: 100n, name: "id", data_type: 5, is_primary_key: true });
const vector = (dim: number) =>
  fieldSchema.create({ fieldID: 101n, name: "vec", data_type: 101, type_params: [{ key: "dim", value: String(dim) }] });

function schemaOf(fields: readonly FieldSchema[], rest: Partial<CollectionSchema> = {}): CollectionSchema {
  return collectionSchema.create({ name: "coll", fields: [...fields], ...rest });
}

/** Partitions with these segments, one each. */
function partitioned(segments: readonly SegmentBackup[], rest: Partial<CollectionBackup> = {}): CollectionBackup {
  const partitions = segments.map((segment, index) =>
    partitionBackup.create({
      partition_id: segment.partition_id,
      partition_name: `p${index}`,
      segment_backups: [segment],
    }),
  );
  return collectionRecord([], { schema: schemaOf([key, vector(8)]), partition_backups: partitions, ...rest });
}

const small = (index: number, options: Parameters<typeof segmentRecord>[1] = {}) =>
  segmentRecord(1_000 + index, { partition: 200n + BigInt(index), ...options });
const several = (count: number, options?: Parameters<typeof segmentRecord>[1]) =>
  Array.from({ length: count }, (_, index) => small(index, options));

function inserted(collection: CollectionBackup, changed: Partial<InsertionRules> = {}): string[] {
  const chosen = partitionsToInsert(outlineOf(collection), { ...rules, ...changed });
  return [...chosen].map(({ partition_name }) => partition_name);
}

test("partitions that Milvus would import for 2 s each are inserted", () => {
  expect(inserted(partitioned(several(6)))).toEqual(["p0", "p1", "p2", "p3", "p4", "p5"]);
});

test.each([1, 2])("%d of them are not worth a second way into the collection", (count) => {
  expect(inserted(partitioned(several(count)))).toEqual([]);
});

describe("none is inserted", () => {
  test.each<[string, Partial<InsertionRules>]>([
    ["where that was not asked for", { asked: "import" }],
    ["into Milvus 2.4, which imports side by side", { features: features("2.4.0") }],
    ["into a collection that is there already, or has no name of its own", { isOurs: false }],
    ["where bytes may not pass through here", { mayStream: false }],
  ])("%s", (_, changed) => {
    expect(inserted(partitioned(several(6)), changed)).toEqual([]);
  });

  test.each<[string, CollectionSchema]>([
    ["whose keys Milvus makes", schemaOf([{ ...key, autoID: true }, vector(8)])],
    ["whose schema says the same", schemaOf([key, vector(8)], { autoID: true })],
    ["with a type that is not known here", schemaOf([key, { ...vector(8), data_type: 104 }])],
    ["with arrays of such a type", schemaOf([key, fieldSchema.create({ data_type: 22, element_type: 23_000 })])],
    ["with nulls", schemaOf([key, vector(8), fieldSchema.create({ data_type: 21, nullable: true })])],
    ["with defaults", schemaOf([key, vector(8), fieldSchema.create({ data_type: 5, default_value_base64: "GAE=" })])],
  ])("of a collection %s", (_, schema) => {
    expect(inserted(partitioned(several(6), { schema }))).toEqual([]);
  });

  test("of a collection with deletes of their own segments, which only an import applies", () => {
    expect(inserted(partitioned(several(6), { l0_segments: [segmentRecord(9, { isL0: true })] }))).toEqual([]);
  });
});

test.each<[string, Parameters<typeof segmentRecord>[1]]>([
  ["rows", { rows: Number(smallPartition.rows) + 1 }],
  ["bytes", { bytes: smallPartition.bytes + 1 }],
  ["logs", { logsPerField: smallPartition.objects }],
  ["a storage of 2.6", { storageVersion: 2 }],
])("a partition with too much of it (%s) is imported beside those that are inserted", (_, options) => {
  const segments = [small(0, options), ...several(6).slice(1)];
  expect(inserted(partitioned(segments))).toEqual(["p1", "p2", "p3", "p4", "p5"]);
});

test("large vectors count as they are in memory, however small they are compressed", () => {
  const schema = schemaOf([key, vector(32_768)]);
  expect(inserted(partitioned(several(6, { rows: 1_000 }), { schema }))).toEqual([]);
  expect(inserted(partitioned(several(6, { rows: 100 }), { schema }))).toHaveLength(6);
});

test("no more is inserted into a collection than can be inserted again", () => {
  const most = several(64, { rows: 8_000 });
  expect(inserted(partitioned(most))).toHaveLength(32);
});

test("with shards that make a flush slow it is weighed", () => {
  expect(inserted(partitioned(several(6)), { shards: 60 })).toEqual([]);
});

test("an empty partition is neither inserted nor imported", () => {
  const collection = partitioned(several(6));
  const empty = partitionBackup.create({ partition_id: 300n, partition_name: "empty" });
  expect(inserted({ ...collection, partition_backups: [...collection.partition_backups, empty] })).toHaveLength(6);
});
