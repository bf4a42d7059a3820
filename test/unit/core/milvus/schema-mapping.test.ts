import { describe, expect, it } from "vitest";
import {
  type CollectionBackup,
  type CollectionSchema,
  collectionBackup,
  collectionSchema,
  type FieldSchema,
  fieldSchema,
  functionSchema,
  indexInfo,
  partitionBackup,
  structArrayField,
} from "../../../../src/core/format/meta.ts";
import { parseFullMeta } from "../../../../src/core/format/meta-files.ts";
import {
  damagedDefaults,
  dynamicFieldId,
  toCollectionSchema,
  toCreateIndexRequests,
  toCreateRequest,
  toIndexInfo,
} from "../../../../src/core/milvus/schema-mapping.ts";
import { goldenFiles } from "../../../support/golden-backup.ts";

const golden = parseFullMeta(goldenFiles.full_meta).value;
const target = { database: "default", collection: "restored" };

function goldenCollection(name: string): CollectionBackup {
  const found = golden.collection_backups.find((collection) => collection.collection_name === name);
  if (!found) throw new Error(`no ${name} in the golden backup`);
  return found;
}

function fields(...ids: number[]): FieldSchema[] {
  return ids.map((id) => fieldSchema.create({ fieldID: BigInt(id), name: `f${id}`, data_type: 5 }));
}

function withSchema(schema: Partial<CollectionSchema>, values: Partial<CollectionBackup> = {}): CollectionBackup {
  return collectionBackup.create({ schema: collectionSchema.create(schema), ...values });
}

const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);

describe("toCreateRequest", () => {
  it.each(golden.collection_backups.map((collection) => [collection.collection_name, collection] as const))(
    "describes %s of the golden backup so that its schema comes back as it was",
    (_name, collection) => {
      // act
      const request = toCreateRequest(collection, { database: "default", collection: collection.collection_name });

      // assess
      expect(toCollectionSchema(request.schema)).toEqual(collection.schema);
    },
  );

  it("keeps name of the target, shards, consistency level and description", () => {
    // act
    const request = toCreateRequest(goldenCollection("all_types"), target);

    // assess
    expect(request).toMatchObject({
      name: target,
      shards: 2,
      consistencyLevel: 2,
      addedFields: [],
      schema: { name: "restored", description: "every data type of Milvus 2.3", enableDynamicField: true },
    });
    expect(request.partitionCount).toBeUndefined();
  });

  it("asks for as many partitions as the backup has where there is a partition key", () => {
    expect(toCreateRequest(goldenCollection("by_tenant"), target).partitionCount).toBe(4);
  });

  it("keeps strong consistency, which the format leaves out", () => {
    expect(toCreateRequest(withSchema({}), target).consistencyLevel).toBe(0);
  });

  it("restores the union of both kinds of properties; the collection's own win", () => {
    // act
    const request = toCreateRequest(
      withSchema(
        {
          properties: [
            { key: "mmap.enabled", value: "true" },
            { key: "collection.ttl.seconds", value: "1" },
          ],
        },
        { properties: [{ key: "collection.ttl.seconds", value: "31536000" }] },
      ),
      target,
    );

    // assess
    expect(request.properties).toEqual([
      { key: "mmap.enabled", value: "true" },
      { key: "collection.ttl.seconds", value: "31536000" },
    ]);
  });

  it("restores the TTL of the golden backup", () => {
    expect(toCreateRequest(goldenCollection("all_types"), target).properties).toEqual([
      { key: "collection.ttl.seconds", value: "31536000" },
    ]);
  });

  it("creates fields in the order of their IDs", () => {
    expect(names(toCreateRequest(withSchema({ fields: fields(102, 100, 101) }), target).schema.fields)).toEqual([
      "f100",
      "f101",
      "f102",
    ]);
  });

  it("never creates the dynamic field by hand", () => {
    // prepare
    const dynamic = fieldSchema.create({ fieldID: 102n, name: "$meta", data_type: 23, is_dynamic: true });

    // act
    const request = toCreateRequest(
      withSchema({ enable_dynamic_field: true, fields: [...fields(100, 101, 103), dynamic] }),
      target,
    );

    // assess
    expect(names(request.schema.fields)).toEqual(["f100", "f101"]);
    expect(names(request.addedFields)).toEqual(["f103"]);
    expect(request.schema.enableDynamicField).toBe(true);
  });

  it("adds fields above the gap that an unlisted dynamic field leaves", () => {
    // act
    const request = toCreateRequest(
      withSchema({ enable_dynamic_field: true, fields: fields(100, 101, 104, 103) }),
      target,
    );

    // assess
    expect(names(request.schema.fields)).toEqual(["f100", "f101"]);
    expect(names(request.addedFields)).toEqual(["f103", "f104"]);
  });

  it("adds fields above the IDs that struct arrays took", () => {
    // prepare
    const struct = structArrayField.create({ fieldID: 102n, name: "chunks", fields: fields(103, 104) });

    // act
    const request = toCreateRequest(
      withSchema({ fields: fields(100, 101, 105), struct_array_fields: [struct] }),
      target,
    );

    // assess
    expect(names(request.schema.fields)).toEqual(["f100", "f101"]);
    expect(names(request.addedFields)).toEqual(["f105"]);
    expect(request.schema.structArrayFields).toMatchObject([
      { fieldId: "102", name: "chunks", fields: [{ fieldId: "103" }, { fieldId: "104" }] },
    ]);
  });

  it("keeps nullable fields and default values of both encodings", () => {
    // prepare
    const nullable = fieldSchema.create({ fieldID: 100n, name: "a", nullable: true, default_value_base64: "GAU=" });
    const older = fieldSchema.create({ fieldID: 101n, name: "b", default_value_proto: "\u0018\u0005" });

    // act
    const { schema } = toCreateRequest(withSchema({ fields: [nullable, older] }), target);

    // assess
    expect(schema.fields).toMatchObject([
      { nullable: true, defaultValueBase64: "GAU=" },
      { nullable: false, defaultValueBase64: "GAU=" },
    ]);
  });

  it("leaves out a default value that was damaged when it was written, and says so", () => {
    // prepare
    const damaged = fieldSchema.create({ fieldID: 100n, name: "price", default_value_proto: "%\0\0\ufffd?" });
    const collection = withSchema({ fields: [damaged] });

    // act
    const { schema } = toCreateRequest(collection, target);

    // assess
    expect(schema.fields).toMatchObject([{ defaultValueBase64: "" }]);
    expect(damagedDefaults(collection.schema)).toEqual([expect.stringContaining("field price")]);
    expect(damagedDefaults(goldenCollection("all_types").schema)).toEqual([]);
  });

  it("keeps functions, with 64-bit IDs as text", () => {
    // prepare
    const schema = collectionSchema.create({
      functions: [
        functionSchema.create({
          name: "bm25",
          id: 100n,
          type: 1,
          input_field_names: ["text"],
          input_field_ids: [470615367219551002n],
          output_field_names: ["sparse"],
          output_field_ids: [102n],
          params: [{ key: "k", value: "v" }],
        }),
      ],
    });

    // act
    const request = toCreateRequest(collectionBackup.create({ schema }), target);

    // assess
    expect(request.schema.functions).toMatchObject([{ id: "100", type: 1, inputFieldIds: ["470615367219551002"] }]);
    expect(toCollectionSchema(request.schema).functions).toEqual(schema.functions);
  });
});

describe("dynamicFieldId", () => {
  it.each([
    [
      "of the field marked is_dynamic",
      [...fields(100, 101), fieldSchema.create({ fieldID: 107n, is_dynamic: true })],
      107n,
    ],
    ["the first gap", fields(100, 101, 103, 105), 102n],
    ["behind the last where there is no gap", fields(101, 100, 102), 103n],
    ["blind for the system fields", fields(0, 1, 100, 101), 102n],
  ])("is %s", (_what, list, expected) => {
    expect(dynamicFieldId(collectionSchema.create({ enable_dynamic_field: true, fields: list }))).toBe(expected);
  });

  it("is undefined without dynamic field", () => {
    expect(dynamicFieldId(collectionSchema.create({ fields: fields(100, 102) }))).toBeUndefined();
  });
});

describe("indexes", () => {
  it.each(golden.collection_backups.map((collection) => [collection.collection_name, collection] as const))(
    "of %s in the golden backup come back as they were",
    (_name, collection) => {
      // act
      const requests = toCreateIndexRequests(collection);

      // assess
      const described = requests.map((request, index) =>
        toIndexInfo({ ...request, id: String(collection.index_infos[index]?.index_id) }),
      );
      expect(described).toEqual(collection.index_infos);
    },
  );

  const oneIndex = (values: Parameters<typeof indexInfo.create>[0]) =>
    toCreateIndexRequests(
      withSchema(
        {
          fields: [
            fieldSchema.create({ name: "vec", data_type: 101 }),
            fieldSchema.create({ name: "s", data_type: 21 }),
          ],
        },
        { index_infos: [indexInfo.create(values)] },
      ),
    )[0];

  it("hand Milvus the parameters as it answered them, JSON text included", () => {
    const params = { index_type: "HNSW", metric_type: "COSINE", params: '{"M":8,"efConstruction":64}' };
    expect(oneIndex({ field_name: "vec", index_name: "v", params })).toEqual({
      fieldName: "vec",
      indexName: "v",
      params,
    });
  });

  it("take marisa-trie, as Milvus 2.2 calls it, as Trie", () => {
    expect(oneIndex({ field_name: "s", index_name: "t", params: { index_type: "marisa-trie" } })).toMatchObject({
      params: { index_type: "Trie" },
    });
  });

  it("take the type from index_type where the parameters lack it", () => {
    expect(oneIndex({ field_name: "s", index_name: "t", index_type: "STL_SORT" })).toMatchObject({
      params: { index_type: "STL_SORT" },
    });
  });

  it.each([
    ["s", "/a/b", ""],
    ["s", "9lives", ""],
    ["s", "with-dash", ""],
    ["s", "_fine_9", "_fine_9"],
    ["s", "", ""],
    ["vec", "with-dash", "with-dash"],
  ])("on field %s named %j are created with the name %j", (field, name, expected) => {
    expect(oneIndex({ field_name: field, index_name: name })).toMatchObject({ indexName: expected });
  });
});

describe("toIndexInfo", () => {
  it("takes the type from the parameters", () => {
    const info = toIndexInfo({
      id: "470615367219551037",
      fieldName: "f",
      indexName: "i",
      params: { index_type: "Trie" },
    });
    expect(info).toMatchObject({ index_type: "Trie", index_id: 470615367219551037n });
  });
});

describe("what a server manages itself", () => {
  it("is not sent, whichever list of properties it stands in", () => {
    const managed = ["max_field_id", "cipher.ezID", "replicate.id", "replicate.endTS"].map((key) => ({
      key,
      value: "7",
    }));
    const own = { key: "mmap.enabled", value: "true" };
    const request = toCreateRequest(withSchema({ properties: [...managed, own] }, { properties: managed }), target);

    expect(request.properties).toEqual([own]);
    expect(request.schema.properties).toEqual([own]);
  });
});

describe("partitions", () => {
  it.each([
    ["_default_0", 1],
    ["tenant_a", undefined],
  ])("of namespaces are Milvus's own where they are called %s", (partition_name, count) => {
    const collection = withSchema({}, { partition_backups: [partitionBackup.create({ partition_name })] });
    const kept = { collectionId: "5", collection: "default.x", schema: { enable_namespace: true }, fields: [] };

    expect(toCreateRequest(collection, target, kept)).toMatchObject({ schema: { enableNamespace: true } });
    expect(toCreateRequest(collection, target, kept).partitionCount).toBe(count);
    expect(toCreateRequest(collection, target).partitionCount).toBeUndefined();
  });

  it("of the golden partition key are counted by record, not by name", () => {
    const collection = withSchema(
      { fields: [fieldSchema.create({ fieldID: 100n, name: "k", is_partition_key: true })] },
      { partition_backups: [partitionBackup.zero(), partitionBackup.zero()] },
    );
    expect(toCreateRequest(collection, target).partitionCount).toBe(2);
  });
});
