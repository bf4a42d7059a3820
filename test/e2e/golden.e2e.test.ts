import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { parseFullMeta } from "../../src/core/format/meta-files.ts";
import { configs, milvusBackupJson, type RestoreDocument } from "../support/e2e/cli.ts";
import { collectionNames, connectToServer, dropCollections, freeAlias, must, named } from "../support/e2e/milvus.ts";
import { uploadGolden } from "../support/e2e/objects.ts";
import { flat } from "../support/e2e/peeked.ts";
import { makeReadable, readRows, readRowsByPartition, snapshot } from "../support/e2e/snapshot.ts";
import { goldenFiles } from "../support/golden-backup.ts";

/** What the golden backup holds, as whoever made it wrote it down. */
const expectedFile = z.record(
  z.string(),
  z.object({
    primaryKey: z.string(),
    partitions: z.array(z.string()).optional(),
    numPartitions: z.number().optional(),
    indexes: z.array(z.string()),
    aliases: z.array(z.string()).optional(),
    loaded: z.boolean(),
    rows: z.array(z.record(z.string(), z.unknown())),
  }),
);
const expected = expectedFile.parse(
  JSON.parse(readFileSync(new URL("../fixtures/milvus-backup-0.5.16.expected.json", import.meta.url), "utf8")),
);

const suffix = "_golden";
const restoredName = (name: string) => {
  const [database = "", collection = ""] = name.split(".");
  return { database, collection: collection + suffix };
};
const holding = (name: string) => {
  const found = expected[name];
  if (found === undefined) throw new Error(`${name} is not in the expected file`);
  return found;
};

/** A collection as the backup's meta has it. */
const inMeta = (name: string) =>
  parseFullMeta(goldenFiles.full_meta).value.collection_backups.find(
    ({ db_name, collection_name }) => `${db_name}.${collection_name}` === name,
  );

describe("the backup that milvus-backup wrote, restored whole", async () => {
  const b = await connectToServer("milvus-b");
  let restored: RestoreDocument;

  beforeAll(async () => {
    for (const name of Object.keys(expected)) await dropCollections(b, restoredName(name).collection);
    await freeAlias(b, "all_types_alias");
    await uploadGolden("golden");
    restored = await milvusBackupJson<RestoreDocument>("--config", configs.b, "restore", "-n", "golden", "-s", suffix);
  });

  test("all four collections of both databases are there, and no working name is left", async () => {
    const names = Object.keys(expected).map((name) => name + suffix);

    expect(restored.collections.map(({ to }) => to).sort()).toEqual(names.sort());
    // milvus-backup wrote neither instant nor checksums: the backup is restored as it is, which is said, and nothing else.
    expect(restored.warnings).toEqual([
      expect.stringContaining("does not say at which instant it was taken"),
      expect.stringMatching(/^\d+ objects were compared by key and size only: the backup has no manifest/),
    ]);
    for (const name of Object.keys(expected)) expect(restored.warnings[0]).toContain(name);
    for (const name of Object.keys(expected)) {
      expect(await collectionNames(b, restoredName(name).collection)).toEqual([name + suffix]);
    }
  });

  test.each(Object.keys(expected))("%s: load state, indexes and aliases are as they were", async (name) => {
    const { indexes, aliases = [], loaded } = holding(name);

    const found = await snapshot(b, restoredName(name));

    expect(found.indexes.map((index) => index.name).sort()).toEqual([...indexes].sort());
    expect(found.aliases).toEqual([...aliases].sort());
    expect(found.loadState).toBe(loaded ? "LoadStateLoaded" : "LoadStateNotLoad");
  });

  test.each(Object.keys(expected))(
    "%s: the schema, its limits and its index parameters are those of the meta",
    async (name) => {
      const source = inMeta(name);

      const found = await snapshot(b, restoredName(name));

      expect(found.fields).toMatchObject(
        (source?.schema.fields ?? [])
          .filter((field) => !field.is_dynamic)
          .map((field) => ({
            id: String(field.fieldID),
            name: field.name,
            primaryKey: field.is_primary_key,
            autoId: field.autoID,
            partitionKey: field.is_partition_key,
            description: field.description,
            typeParams: Object.fromEntries(field.type_params.map(({ key, value }) => [key, value])),
          })),
      );
      expect(found.enableDynamicField).toBe(source?.schema.enable_dynamic_field);
      expect(found.description).toBe(source?.schema.description);
      expect(found.shards).toBe(source?.shards_num);
      expect(found.partitions).toEqual(source?.partition_backups.map((it) => it.partition_name).sort());
      for (const index of source?.index_infos ?? []) {
        expect(found.indexes).toContainEqual({
          field: index.field_name,
          name: index.index_name,
          params: expect.objectContaining({ index_type: index.index_type }),
        });
      }
    },
  );

  test("default.all_types: every row in its partition, with every type, vector and dynamic field; deleted ones are not", async () => {
    const { rows } = holding("default.all_types");

    const found = await readRowsByPartition(b, restoredName("default.all_types"));

    const byPartition = Map.groupBy(rows, (row) => String(row._partition));
    expect(Object.keys(found).sort()).toEqual([...byPartition.keys()].sort());
    for (const [partition, wanted] of byPartition) {
      expect(found[partition]?.map(flat)).toEqual(wanted.map(({ _partition, ...row }) => row));
    }
  });

  test("default.all_types: the time-to-live and the consistency level are kept", async () => {
    const { properties, consistency } = await snapshot(b, restoredName("default.all_types"));

    const source = inMeta("default.all_types");
    expect(properties).toEqual(Object.fromEntries(source?.properties.map(({ key, value }) => [key, value]) ?? []));
    expect(Number(properties["collection.ttl.seconds"])).toBeGreaterThan(0);
    expect([consistency, source?.consistency_level]).toEqual(["Bounded", 2]);
  });

  test("default.all_types: its alias leads to it", async () => {
    const [byAlias, byName] = await Promise.all([
      must(b.describeCollection(named({ collection: "all_types_alias" }))),
      must(b.describeCollection(named(restoredName("default.all_types")))),
    ]);

    expect(byAlias.collectionID).toBe(byName.collectionID);
  });

  test("default.by_tenant: VarChar keys, binary vectors and the partition key", async () => {
    const name = restoredName("default.by_tenant");
    const { rows, numPartitions } = holding("default.by_tenant");
    await makeReadable(b, name, "bits");

    const found = (await readRows(b, name)).map(flat);

    expect(found).toEqual([...rows].sort((one, other) => (String(one.key) < String(other.key) ? -1 : 1)));
    expect((await snapshot(b, name)).partitions).toHaveLength(numPartitions ?? 0);
    const { data } = await must(b.query({ ...named(name), filter: 'tenant == "tenant-0"', output_fields: ["key"] }));
    expect(data).toHaveLength(rows.filter(({ tenant }) => tenant === "tenant-0").length);
  });

  test("shop.auto_ids: rows keep the keys that Milvus gave them", async () => {
    const name = restoredName("shop.auto_ids");
    await makeReadable(b, name, "vec");

    const found = await readRows(b, name);

    expect(found.map(flat)).toEqual(holding("shop.auto_ids").rows);
    expect(found).toHaveLength(50);
  });

  test("default.empty: it is there, and empty", async () => {
    const name = restoredName("default.empty");
    await makeReadable(b, name, "vec");

    expect(await readRows(b, name)).toEqual([]);
    expect(restored.collections.find(({ from }) => from === "default.empty")).toMatchObject({
      rows: 0,
      loaded: false,
    });
  });
});
