import { describe, expect, test } from "vitest";
import { backupLayout, stagingLayout } from "../../../../src/core/format/layout.ts";
import {
  backupInfo,
  type CollectionBackup,
  collectionSchema,
  fieldSchema,
  indexInfo,
  partitionBackup,
} from "../../../../src/core/format/meta.ts";
import { planCollection, planRestore, type RestoreOptions } from "../../../../src/core/plan/restore.ts";
import { overridesFor } from "../../../../src/core/plan/restore-overrides.ts";
import { outlineOf } from "../../../support/outlines.ts";
import { collectionRecord, segmentRecord } from "../../../support/segment-records.ts";

const name = {
  source: { database: "default", collection: "coll" },
  target: { database: "shop", collection: "coll_bak" },
};

function plan(collection: CollectionBackup, options: Partial<RestoreOptions> = {}, version = "2.3.5") {
  return planCollection(outlineOf(collection), name, {
    restoreId: "0123456789ab",
    version,
    pairsPerJob: 256,
    backup: backupLayout("backup", "nightly"),
    staging: stagingLayout("0123456789ab"),
    readsInPlace: false,
    mayStream: true,
    firstTask: 0,
    stagedAs: 0,
    renumbered: false,
    options: {
      ...{ skipCreate: false, metadataOnly: false, indexes: true, load: true, aliases: true, overrides: {} },
      ...options,
    },
  });
}

function partitions(...states: readonly [string, string][]) {
  return states.map(([partition_name, load_state]) => partitionBackup.create({ partition_name, load_state }));
}

const indexed = {
  index_infos: [indexInfo.create({ field_name: "vec", index_name: "vec_idx", params: { index_type: "FLAT" } })],
  aliases: ["library"],
};

describe("planCollection", () => {
  test("gives a collection a working name until it is complete", () => {
    const { restore } = plan(collectionRecord([segmentRecord(301)], indexed));

    expect(restore.working).toEqual({ database: "shop", collection: "coll_bak_restoring_0123456789ab" });
    expect(restore.create?.name).toEqual(restore.working);
    expect(restore).toMatchObject({ ...name, aliases: ["library"], indexes: [{ indexName: "vec_idx" }] });
    expect(restore.imports).toHaveLength(1);
  });

  test("imports straight into the target under skipCreate, and leaves indexes, aliases and load state to its owner", () => {
    const { restore } = plan(collectionRecord([segmentRecord(301)], { ...indexed, load_state: "Loaded" }), {
      skipCreate: true,
    });

    expect(restore).toMatchObject({ working: name.target, indexes: [], aliases: [], load: "none" });
    expect(restore.create).toBeUndefined();
  });

  test("a Milvus that cannot rename gets the target name at once", () => {
    expect(plan(collectionRecord([]), {}, "2.2.8").restore.working).toEqual(name.target);
  });

  test("metadataOnly brings everything but the rows", () => {
    const { restore, imports } = plan(collectionRecord([segmentRecord(301)], indexed), { metadataOnly: true });

    expect(restore.imports).toEqual([]);
    expect(imports.imports).toEqual([]);
    expect(restore.indexes).toHaveLength(1);
  });

  test.each<[string, string, readonly [string, string][], unknown]>([
    [
      "everything",
      "Loaded",
      [
        ["_default", "Loaded"],
        ["p", "Loaded"],
      ],
      "all",
    ],
    ["everything that was being loaded", "Loading", [["_default", "Loading"]], "all"],
    [
      "single partitions",
      "Loaded",
      [
        ["_default", "NotLoad"],
        ["p", "Loaded"],
      ],
      { partitions: ["p"] },
    ],
    [
      "everything, where the meta says nothing of partitions",
      "Loaded",
      [
        ["_default", ""],
        ["p", ""],
      ],
      "all",
    ],
    ["nothing", "NotLoad", [["_default", "NotLoad"]], "none"],
  ])("loads %s as it was", (_, load_state, states, load) => {
    const collection = collectionRecord([], { load_state, partition_backups: partitions(...states) });

    expect(plan(collection).restore.load).toEqual(load);
    expect(plan(collection, { load: false }).restore.load).toBe("none");
    expect(plan(collection, { indexes: false }).restore.load).toBe("none");
  });

  test("makes named partitions, but not those that Milvus makes for a partition key", () => {
    const partition_backups = partitions(["_default", ""], ["p1", ""]);
    const keyed = collectionSchema.create({
      fields: [fieldSchema.create({ fieldID: 100n, name: "k", is_partition_key: true })],
    });

    expect(plan(collectionRecord([], { partition_backups })).restore.partitions).toEqual(["p1"]);
    expect(plan(collectionRecord([], { partition_backups, schema: keyed })).restore).toMatchObject({
      partitions: [],
      create: { partitionCount: 2 },
    });
  });
});

describe("what a restore makes otherwise", () => {
  const vectors = collectionSchema.create({
    fields: [
      fieldSchema.create({ fieldID: 100n, name: "id", data_type: 5 }),
      fieldSchema.create({
        fieldID: 101n,
        name: "vec",
        data_type: 101,
        type_params: [
          { key: "dim", value: "4" },
          { key: "mmap.enabled", value: "true" },
        ],
      }),
    ],
    properties: [{ key: "collection.ttl.seconds", value: "60" }],
  });
  const collection = collectionRecord([], {
    schema: vectors,
    shards_num: 4,
    properties: [
      { key: "collection.ttl.seconds", value: "60" },
      { key: "mmap.enabled", value: "true" },
    ],
    index_infos: [
      indexInfo.create({
        field_name: "vec",
        index_name: "vec_hnsw",
        params: { index_type: "HNSW", metric_type: "COSINE", M: "16", "mmap.enabled": "true" },
      }),
      indexInfo.create({ field_name: "id", index_name: "id_idx", params: { index_type: "STL_SORT" } }),
    ],
  });
  const overridden = (overrides: RestoreOptions["overrides"]) => plan(collection, { overrides }).restore;

  test("as it was, where nothing is asked for", () => {
    expect(overridden({}).create).toMatchObject({ shards: 4, properties: [{}, {}] });
  });

  test.each([
    [{ shards: 1 }, 1],
    [{ shards: 8 }, 8],
    [{ maxShards: 2 }, 2],
    [{ maxShards: 16 }, 4],
  ])("%j gives it %i shards", (overrides, shards) => {
    expect(overridden(overrides).create?.shards).toBe(shards);
  });

  test("a description in place of its own, also none", () => {
    expect(overridden({ description: "of the drill" }).create?.schema.description).toBe("of the drill");
    expect(overridden({ description: "" }).create?.schema.description).toBe("");
  });

  test("what is said of one collection wins over what is said of all", () => {
    const input = {
      ...{ maxShards: 2, description: "all", autoIndex: true },
      overrides: { coll_bak: { shards: 9 }, "shop.coll_bak": { shards: 8, description: "one" } },
    };

    expect(overridesFor(name.target, input)).toMatchObject({ shards: 8, description: "one", autoIndex: true });
    expect(overridden(overridesFor(name.target, input)).create).toMatchObject({ shards: 8 });
    expect(overridesFor({ database: "default", collection: "coll_bak" }, input)).toMatchObject({ shards: 9 });
    expect(overridden(overridesFor(name.source, input)).create).toMatchObject({ shards: 2 });
  });

  test("autoIndex keeps name and metric of a vector's index, and the indexes of other fields", () => {
    expect(overridden({ autoIndex: true }).indexes).toEqual([
      { fieldName: "vec", indexName: "vec_hnsw", params: { index_type: "AUTOINDEX", metric_type: "COSINE" } },
      { fieldName: "id", indexName: "id_idx", params: { index_type: "STL_SORT" } },
    ]);
  });

  test("properties and parameters are left out by their keys, each where it is named", () => {
    const properties = overridden({ skipProperties: ["collection.ttl.seconds"] });
    const fields = overridden({ skipFieldParams: ["mmap.enabled"] });
    const indexes = overridden({ skipIndexParams: ["mmap.enabled", "M"] });

    expect(properties.create).toMatchObject({
      properties: [{ key: "mmap.enabled" }],
      schema: { properties: [] },
    });
    expect(properties.create?.schema.fields[1]?.typeParams).toHaveLength(2);
    expect(fields.create?.schema.fields[1]?.typeParams).toEqual([{ key: "dim", value: "4" }]);
    expect(fields.create?.properties).toHaveLength(2);
    expect(indexes.indexes[0]?.params).toEqual({ index_type: "HNSW", metric_type: "COSINE" });
  });
});

describe("one collection under several names", () => {
  const record = collectionRecord([segmentRecord(301), segmentRecord(302)], { ...indexed, collection_name: "coll" });
  const target = (database: string, collection: string) => ({ source: name.source, target: { database, collection } });
  const planned = (version: string, readsInPlace: boolean) =>
    planRestore(
      { ...backupInfo.create({ name: "nightly" }), collection_backups: [outlineOf(record)] },
      { collections: [target("default", "a"), target("default", "b"), target("shop", "c")], databases: [] },
      {
        restoreId: "0123456789ab",
        replaces: new Map(),
        crowded: new Set(),
        version,
        pairsPerJob: 256,
        backup: backupLayout("backup", "nightly"),
        readsInPlace,
        mayStream: true,
        input: { environment: "dr", backupName: "nightly" },
        instants: new Map(),
        kept: new Map(),
        known: new Map(),
        verification: { compares: "sizes", reads: false },
        metas: { sha256: "" },
        warnings: [],
      },
    );

  test.each([
    ["2.3.5", false],
    ["2.3.5", true],
    ["2.4.0", false],
    ["2.4.0", true],
  ])("each imports everything (%s, in place: %j), of what is staged or verified once", (version, readsInPlace) => {
    const { plan: restore, segments } = planned(version, readsInPlace);
    const files = [...segments.importFiles()];

    expect(restore.collections.map(({ imports }) => imports.map(({ rows }) => rows))).toEqual(
      Array(3).fill(restore.collections[0]?.imports.map(({ rows }) => rows)),
    );
    expect(files.map(({ task }) => task)).toEqual(files.map((_, index) => index));
    const perName = files.length / 3;
    for (const index of files.keys()) expect(files[index]?.files).toEqual(files[index % perName]?.files);
    expect(restore.totals).toMatchObject({ collections: 3, segments: 2, imports: files.length });
    expect(segments.count).toBe(2);
  });

  test("the first one of a database gets its aliases", () => {
    const { plan: restore } = planned("2.3.5", false);

    expect(restore.collections.map(({ aliases }) => aliases)).toEqual([["library"], [], ["library"]]);
  });
});
