import { describe, expect, test } from "vitest";
import { backupLayout, stagingLayout } from "../../../../src/core/format/layout.ts";
import {
  backupInfo,
  type CollectionBackup,
  collectionSchema,
  databaseBackup,
  fieldSchema,
  indexInfo,
  partitionBackup,
} from "../../../../src/core/format/meta.ts";
import { planCollection, planDatabases, type RestoreOptions } from "../../../../src/core/plan/restore.ts";
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
    backup: backupLayout("backup", "nightly"),
    staging: stagingLayout("0123456789ab"),
    readsInPlace: false,
    firstTask: 0,
    options: { skipCreate: false, metadataOnly: false, indexes: true, load: true, ...options },
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

test("planDatabases names what the targets need, with the properties of the source's database", () => {
  const properties = [{ key: "database.replica.number", value: "2" }];
  const backup = backupInfo.create({ database_backups: [databaseBackup.create({ db_name: "default", properties })] });

  expect(planDatabases(backup, [name, { source: name.source, target: name.source }])).toEqual([
    { name: "shop", properties },
  ]);
});
