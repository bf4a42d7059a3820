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
  structArrayField,
} from "../../../../src/core/format/meta.ts";
import { parseFullMeta } from "../../../../src/core/format/meta-files.ts";
import { sameSchema, unsupportedBy } from "../../../../src/core/milvus/schema-checks.ts";
import { goldenFiles } from "../../../support/golden-backup.ts";

const golden = parseFullMeta(goldenFiles.full_meta).value;

const id = fieldSchema.create({ fieldID: 100n, name: "id", data_type: 5, is_primary_key: true });
const vec = fieldSchema.create({
  fieldID: 101n,
  name: "vec",
  data_type: 101,
  type_params: [{ key: "dim", value: "8" }],
});
const base = collectionSchema.create({ fields: [id, vec] });
const struct = structArrayField.create({
  fieldID: 102n,
  name: "chunks",
  fields: [fieldSchema.create({ fieldID: 103n, name: "text", data_type: 22, element_type: 21 })],
});

describe("sameSchema", () => {
  it.each(golden.collection_backups.map((collection) => [collection.collection_name, collection.schema] as const))(
    "finds no difference between %s and itself",
    (_name, schema) => {
      expect(sameSchema(schema, schema)).toEqual([]);
    },
  );

  it("does not mind names, descriptions, properties, other type parameters and a listed dynamic field", () => {
    // prepare
    const dynamic = fieldSchema.create({ fieldID: 102n, name: "$meta", data_type: 23, is_dynamic: true });
    const backup = collectionSchema.create({ ...base, name: "a", description: "b", enable_dynamic_field: true });
    const target = collectionSchema.create({
      enable_dynamic_field: true,
      properties: [{ key: "k", value: "v" }],
      fields: [{ ...vec, type_params: [...vec.type_params, { key: "mmap.enabled", value: "true" }] }, id, dynamic],
    });

    // act, assess
    expect(sameSchema(backup, target)).toEqual([]);
  });

  const changed = (values: Partial<FieldSchema>): CollectionSchema =>
    collectionSchema.create({ fields: [id, { ...vec, ...values }] });
  it.each([
    [{ name: "v2" }, ["field vec is missing in the target", "field v2 is not in the backup"]],
    [{ fieldID: 102n }, ["field vec: ID is 101 in the backup and 102 in the target"]],
    [{ data_type: 102 }, ["field vec: type is FloatVector in the backup and Float16Vector in the target"]],
    [{ element_type: 5 }, ["field vec: element type is none in the backup and Int64 in the target"]],
    [{ is_primary_key: true }, ["field vec: primary key is no in the backup and yes in the target"]],
    [{ autoID: true }, ["field vec: autoID is no in the backup and yes in the target"]],
    [{ is_partition_key: true }, ["field vec: partition key is no in the backup and yes in the target"]],
    [{ nullable: true }, ["field vec: nullable is no in the backup and yes in the target"]],
    [{ is_function_output: true }, ["field vec: function output is no in the backup and yes in the target"]],
    [{ type_params: [{ key: "dim", value: "16" }] }, ["field vec: dim is 8 in the backup and 16 in the target"]],
  ])("reports a target that has %o", (values, differences) => {
    expect(sameSchema(base, changed(values))).toEqual(differences);
  });

  it("reports dynamic fields that are not the same", () => {
    const on = { ...base, enable_dynamic_field: true };
    const later = { ...on, fields: [id, { ...vec, fieldID: 102n }] };
    expect(sameSchema(on, base)).toEqual(["the dynamic field is on in the backup and off in the target"]);
    expect(sameSchema(on, later)).toContain("the dynamic field has ID 102 in the backup and 101 in the target");
  });

  it("reports functions and struct arrays that are not the same", () => {
    const fn = functionSchema.create({ name: "bm25", type: 1, input_field_names: ["text"] });
    const [text] = struct.fields;
    const other = { ...struct, fieldID: 110n, fields: text ? [{ ...text, element_type: 5 }] : [] };
    expect(sameSchema({ ...base, functions: [fn] }, base)).toEqual([
      "function bm25 (type 1, text to ) is missing in the target",
    ]);
    expect(sameSchema(base, { ...base, struct_array_fields: [struct] })).toEqual([
      "struct array chunks is not in the backup",
    ]);
    expect(sameSchema({ ...base, struct_array_fields: [struct] }, { ...base, struct_array_fields: [other] })).toEqual([
      "struct array chunks: ID is 102 in the backup and 110 in the target",
      "field of struct array chunks text: element type is VarChar in the backup and Int64 in the target",
    ]);
  });
});

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
    ["deletes in L0 segments", collectionOf({}, { l0_segments: [l0] }), "2.3.5", "2.4.0"],
    [
      "deletes in L0 segments",
      collectionOf({}, { partition_backups: [partitionBackup.create({ segment_backups: [l0] })] }),
      "2.3.5",
      "2.4.0",
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
