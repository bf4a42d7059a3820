import { expect, test } from "vitest";
import { backupInfo, collectionBackup, databaseBackup } from "../../../../src/core/format/meta.ts";
import { differingProperties, planDatabases, withoutCollections } from "../../../../src/core/plan/restore-databases.ts";

const replicas = (value: string) => ({ key: "database.replica.number", value });
const backup = backupInfo.create({
  database_backups: [
    databaseBackup.create({ db_name: "default", properties: [replicas("2")] }),
    databaseBackup.create({
      db_name: "archive",
      properties: [replicas("3"), { key: "cipher.ezID", value: "470615367219570001" }],
    }),
    databaseBackup.create({ db_name: "shop" }),
  ],
  collection_backups: [collectionBackup.create({ db_name: "shop", collection_name: "carts" })],
});
const coll = { database: "default", collection: "coll" };

test("databases of which a backup has no collection, but for default", () => {
  const outline = { database_backups: backup.database_backups, collection_backups: [] };

  expect(withoutCollections(outline)).toEqual([
    { database: "archive", collection: "*" },
    { database: "shop", collection: "*" },
  ]);
});

test("what is made: what the targets need and what is empty, with the properties of the backup's, without what servers manage", () => {
  const names = {
    collections: [
      { source: coll, target: { database: "shop", collection: "coll" } },
      { source: coll, target: coll },
    ],
    databases: [
      { source: "archive", target: "old" },
      { source: "archive", target: "shop" },
    ],
  };

  expect(planDatabases(backup, names)).toEqual([
    { name: "old", properties: [replicas("3")], empty: true },
    { name: "shop", properties: [replicas("2")] },
  ]);
});

test("properties that a database has otherwise, more and less, without what servers manage", () => {
  const there = [replicas("1"), { key: "cipher.ezID", value: "1" }, { key: "database.max.collections", value: "9" }];

  expect(differingProperties([replicas("1")], [replicas("1")])).toEqual([]);
  expect(differingProperties([replicas("2"), { key: "x", value: "y" }], there)).toEqual([
    "database.max.collections is 9 (in the backup not set)",
    "database.replica.number is 1 (in the backup 2)",
    "x is not set (in the backup y)",
  ]);

  const [ours, theirs] = ["arn:of-ours", "arn:of-theirs"].map((value) => [{ key: "cipher.key", value }]);
  expect(differingProperties(ours ?? [], theirs ?? [])).toEqual(["cipher.key is another one than in the backup"]);
  expect(differingProperties(ours ?? [], [])).toEqual(["cipher.key is not set (in the backup set)"]);
  expect(differingProperties([], theirs ?? [])).toEqual(["cipher.key is set (in the backup not set)"]);
});
