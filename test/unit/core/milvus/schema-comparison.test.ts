import { describe, expect, it } from "vitest";
import {
  type CollectionSchema,
  collectionSchema,
  type FieldSchema,
  fieldSchema,
  functionSchema,
} from "../../../../src/core/format/meta.ts";
import { parseFullMeta } from "../../../../src/core/format/meta-files.ts";
import type { CollectionDescription, CreateCollectionRequest } from "../../../../src/core/milvus/descriptions.ts";
import * as comparison from "../../../../src/core/milvus/schema-comparison.ts";
import { toSchemaDescription } from "../../../../src/core/milvus/schema-mapping.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { goldenFiles } from "../../../support/golden-backup.ts";
import { collectionRequest, field, floatVector, int64, varChar } from "../../../support/milvus-fields.ts";
import { base, id, struct, vec } from "../../../support/schema-records.ts";

const golden = parseFullMeta(goldenFiles.full_meta).value;

const sameSchema = (backup: CollectionSchema, target: CollectionSchema) =>
  comparison.sameSchema(toSchemaDescription(backup), toSchemaDescription(target));

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

describe("a collection that was made", () => {
  const fields = [
    field("id", int64, { fieldId: "100", isPrimaryKey: true }),
    field("text", varChar, { fieldId: "101", typeParams: [{ key: "max_length", value: "64" }] }),
    field("vec", floatVector, { fieldId: "102", typeParams: [{ key: "dim", value: "4" }] }),
  ] as const;
  const [key, text, vector] = fields;
  const late = field("late", int64, { fieldId: "104", nullable: true });
  const clips = { fieldId: "103", name: "clips", description: "", typeParams: [], nullable: true, fields: [] };
  const create: CreateCollectionRequest = collectionRequest("docs", {
    schema: { description: "all docs", fields, structArrayFields: [clips], enableNamespace: true },
    addedFields: [late],
    shards: 2,
    properties: [{ key: "collection.ttl.seconds", value: "60" }],
    partitionCount: 16,
  });
  const made = collectionDescription("docs", {
    shards: 2,
    properties: create.properties,
    schema: { ...create.schema, fields: [...fields, late] },
  });
  const differences = (found: Partial<CollectionDescription>, partitions = 16) =>
    comparison.differencesFrom(create, { ...made, ...found }, partitions);
  const schema = (rest: Partial<CollectionDescription["schema"]>) => ({ schema: { ...made.schema, ...rest } });

  it("is as it was asked for, whatever the server adds to it", () => {
    const extra = { key: "timezone", value: "UTC" };
    const found = {
      properties: [...create.properties, extra, { key: "max_field_id", value: "104" }],
      ...schema({ fields: [{ ...key, typeParams: [extra] }, text, vector, late] }),
    };

    expect(differences({})).toEqual([]);
    expect(differences(found)).toEqual([]);
  });

  it.each([
    [
      "an ID",
      schema({ fields: [key, text, vector, { ...late, fieldId: "106" }] }),
      "field late: ID is 104 in the backup and 106",
    ],
    [
      "a parameter",
      schema({ fields: [key, { ...text, typeParams: [] }, vector, late] }),
      "field text: max_length is 64 in the backup and none",
    ],
    [
      "nullability",
      schema({ fields: [key, text, vector, { ...late, nullable: false }] }),
      "field late: nullable is yes in the backup and no",
    ],
    [
      "a default value",
      schema({ fields: [key, { ...text, defaultValueBase64: "MgA=" }, vector, late] }),
      'field text: default value is none in the backup and "MgA="',
    ],
    [
      "a clustering key",
      schema({ fields: [key, { ...text, isClusteringKey: true }, vector, late] }),
      "field text: clustering key is no in the backup and yes",
    ],
    [
      "a field's description",
      schema({ fields: [{ ...key, description: "x" }, text, vector, late] }),
      'field id: description is none in the backup and "x"',
    ],
    [
      "nullability of a struct array",
      schema({ structArrayFields: [{ ...clips, nullable: false }] }),
      "struct array clips: nullable is yes in the backup and no",
    ],
    ["namespaces", schema({ enableNamespace: false }), "the collection's enable namespace is yes in the backup and no"],
    ["its description", schema({ description: "" }), 'the description is "all docs" in the backup and none'],
    ["shards", { shards: 1 }, "the number of shards is 2 in the backup and 1"],
    ["the consistency level", { consistencyLevel: 0 }, "the consistency level is 2 in the backup and 0"],
    ["a property", { properties: [] }, "property collection.ttl.seconds is 60 in the backup and none"],
  ])("is not where it differs in %s", (_what, found, sentence) => {
    expect(differences(found)).toEqual([`${sentence} in the target`]);
  });

  it("is not where its external spec, which may hold credentials, is another one: it is not shown", () => {
    expect(differences(schema({ externalSpec: '{"access_key":"secret"}' }))).toEqual([
      "the collection's external spec is not that of the backup",
    ]);
  });

  it("is not where its partition key has another number of partitions", () => {
    expect(differences({}, 64)).toEqual(["the number of partitions is 16 in the backup and 64 in the target"]);
  });
});
