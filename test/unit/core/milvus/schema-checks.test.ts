import { describe, expect, it } from "vitest";
import {
  type CollectionBackup,
  type CollectionSchema,
  collectionBackup,
  collectionSchema,
  type FieldSchema,
  fieldSchema,
  functionSchema,
  partitionBackup,
  segmentBackup,
} from "../../../../src/core/format/meta.ts";
import { parseFullMeta } from "../../../../src/core/format/meta-files.ts";
import { unsupportedBy } from "../../../../src/core/milvus/schema-checks.ts";
import { goldenFiles } from "../../../support/golden-backup.ts";
import { base, id, struct, vec } from "../../../support/schema-records.ts";

const golden = parseFullMeta(goldenFiles.full_meta).value;

describe("unsupportedBy", () => {
  it("lets the golden backup of 2.3.5 into 2.3.5 and everything newer", () => {
    for (const version of ["v2.3.5-lite", "2.4.0", "2.6.11", "master-20260226-abcdef"]) {
      expect(golden.collection_backups.flatMap((collection) => unsupportedBy(version, collection))).toEqual([]);
    }
  });

  it("names what 2.2.8 does not have of it", () => {
    // act
    const problems = golden.collection_backups.flatMap((collection) => unsupportedBy("2.2.8", collection));

    // assess
    expect(problems).toEqual([
      "partition key tenant needs Milvus 2.2.9 or newer, the target is 2.2.8",
      "field meta of type JSON needs Milvus 2.2.9 or newer, the target is 2.2.8",
      "field tags of type Array needs Milvus 2.3.2 or newer, the target is 2.2.8",
      "field nums of type Array needs Milvus 2.3.2 or newer, the target is 2.2.8",
      "the dynamic field needs Milvus 2.2.9 or newer, the target is 2.2.8",
      "database shop needs Milvus 2.2.9 or newer, the target is 2.2.8",
    ]);
  });

  const collectionOf = (schema: Partial<CollectionSchema>, values: Partial<CollectionBackup> = {}) =>
    collectionBackup.create({ schema: collectionSchema.create({ ...base, ...schema }), ...values });
  const field = (values: Partial<FieldSchema>) => ({
    fields: [id, vec, fieldSchema.create({ fieldID: 102n, name: "x", data_type: 5, ...values })],
  });
  const l0 = segmentBackup.create({ is_l0: true });
  it.each([
    ["Float16Vector", collectionOf(field({ data_type: 102 })), "2.3.5", "2.4.0"],
    ["BFloat16Vector", collectionOf(field({ data_type: 103 })), "2.3.5", "2.4.0"],
    ["SparseFloatVector", collectionOf(field({ data_type: 104 })), "2.3.5", "2.4.0"],
    ["Int8Vector", collectionOf(field({ data_type: 105 })), "2.5.9", "2.6.0"],
    ["Timestamptz", collectionOf(field({ data_type: 26 })), "2.6.5", "2.6.6"],
    ["nullable field x", collectionOf(field({ nullable: true })), "2.4.9", "2.5.0"],
    ["default value of field x", collectionOf(field({ default_value_base64: "GAU=" })), "2.4.9", "2.5.0"],
    ["default value of field x", collectionOf(field({ default_value_proto: "\u0018\u0005" })), "2.4.9", "2.5.0"],
    ["function f", collectionOf({ functions: [functionSchema.create({ name: "f", type: 1 })] }), "2.4.9", "2.5.0"],
    ["function f", collectionOf({ functions: [functionSchema.create({ name: "f", type: 2 })] }), "2.5.9", "2.6.0"],
    ["struct array chunks", collectionOf({ struct_array_fields: [struct] }), "2.6.3", "2.6.4"],
    ["deletes in L0 segments", collectionOf({}, { l0_segments: [l0] }), "2.3.5", "2.4.5"],
    [
      "deletes in L0 segments",
      collectionOf({}, { partition_backups: [partitionBackup.create({ segment_backups: [l0] })] }),
      "2.3.5",
      "2.4.5",
    ],
    [
      "storage version 2",
      collectionOf({}, { l0_segments: [segmentBackup.create({ storage_version: 2n })] }),
      "2.5.9",
      "2.6.0",
    ],
    [
      "field late, added after",
      collectionOf({
        enable_dynamic_field: true,
        fields: [id, vec, fieldSchema.create({ fieldID: 103n, name: "late", data_type: 5 })],
      }),
      "2.5.9",
      "2.6.0",
    ],
  ])("says that %s is too new", (what, collection, older, since) => {
    expect(unsupportedBy(older, collection)).toContainEqual(
      expect.stringMatching(new RegExp(`${what}.* needs Milvus ${since} or newer, the target is ${older}$`)),
    );
    expect(unsupportedBy(since, collection)).toEqual([]);
  });

  it("does not know a data type of the future, whatever the target", () => {
    expect(unsupportedBy("master-20260226-abcdef", collectionOf(field({ data_type: 77 })))).toEqual([
      "field x has data type 77, which is not known",
    ]);
  });

  it("looks at the database the collection goes to, not the one it comes from", () => {
    const collection = collectionOf({}, { db_name: "shop" });
    expect(unsupportedBy("2.2.8", collection)).toHaveLength(1);
    expect(unsupportedBy("2.2.8", collection, { database: "default", collection: "c" })).toEqual([]);
  });

  it("refuses field IDs that Milvus would not give again", () => {
    expect(unsupportedBy("2.6.11", collectionOf(field({ fieldID: 109n })))).toEqual([
      expect.stringContaining("field x has ID 109, which a new collection cannot give it"),
    ]);
  });
});
