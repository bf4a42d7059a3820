import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DataType } from "@zilliz/milvus2-sdk-node";
import { beforeAll, describe, expect, test } from "vitest";
import { configs, milvusBackup, milvusBackupJson, type RestoreDocument } from "../support/e2e/cli.ts";
import { executionFiles } from "../support/e2e/executions.ts";
import { collectionNames, connectToServer, dropCollections, load, must, named, until } from "../support/e2e/milvus.ts";
import { copyPrefix, deletePrefix, getBytes, listKeys, putObject } from "../support/e2e/objects.ts";
import { createVectorIndex, insertSegment, seedSmall, smallRow } from "../support/e2e/seeds.ts";
import { type Row, readRows, snapshot } from "../support/e2e/snapshot.ts";

const backupName = "options";
const alias = "opt_alias";

function restore(...options: readonly string[]): Promise<RestoreDocument> {
  return milvusBackupJson<RestoreDocument>(
    "--config",
    configs.b,
    "restore",
    "-n",
    backupName,
    "-c",
    "opt_coll",
    ...options,
  );
}

function tryRestore(...options: readonly string[]) {
  return milvusBackup("--config", configs.b, "restore", "-n", backupName, "-c", "opt_coll", ...options);
}

describe("options of restore", async () => {
  const a = await connectToServer("milvus-a");
  const b = await connectToServer("milvus-b");
  let rows: Row[];

  beforeAll(async () => {
    await Promise.all([
      dropCollections(a, "opt_"),
      dropCollections(b, "opt_"),
      deletePrefix("bucket-b", `backup/${backupName}/`),
    ]);
    await seedSmall(a, { collection: "opt_coll" }, { alias, compaction: false });
    rows = await readRows(a, { collection: "opt_coll" });
    await milvusBackupJson("--config", configs.a, "create", "-c", "opt_coll", "-n", backupName);
  });

  test("--rename gives another name in another database, which it makes", async () => {
    const document = await restore("--rename", "opt_coll:opt_shop.opt_coll2");

    const name = { database: "opt_shop", collection: "opt_coll2" };
    expect(document.collections).toMatchObject([{ from: "default.opt_coll", to: "opt_shop.opt_coll2", loaded: true }]);
    expect(await readRows(b, name)).toEqual(rows);
    expect((await snapshot(b, name)).aliases).toEqual([alias]);
  });

  test("a database without collections is backed up by its name, and comes back under another", async () => {
    const archive = "opt_archive";
    const { db_names } = await a.listDatabases();
    if (!db_names.includes(archive)) await must(a.createDatabase({ db_name: archive }));
    await deletePrefix("bucket-b", `backup/${archive}/`);
    await milvusBackupJson("--config", configs.a, "create", "-d", archive, "-n", archive);

    const renamed = ["--rename", `${archive}.*:${archive}_b.*`];
    const document = await milvusBackupJson<RestoreDocument>(
      "--config",
      configs.b,
      "restore",
      "-n",
      archive,
      ...renamed,
    );

    expect(document).toMatchObject({ collections: [], databases: [`${archive}_b`], warnings: [] });
    expect((await b.listDatabases()).db_names).toContain(`${archive}_b`);
    expect((await b.listDatabases()).db_names).not.toContain(archive);
  });

  test("a plan of two names of one collection, with other shards and descriptions, AUTOINDEX and without a property", async () => {
    const planned = async (shardNum: number, run: typeof restore | typeof tryRestore) => {
      const plan = join(mkdtempSync(join(tmpdir(), "restore-plan-")), "plan.json");
      const override = { shardNum, description: "of the plan" };
      const colls = [
        { source: "opt_coll", target: "opt_first", override },
        { source: "opt_coll", target: "opt_second" },
        { source: "opt_coll", target: "opt_third" },
      ];
      const filter = { opt_two: { colls: ["opt_first", "opt_second"] } };
      writeFileSync(plan, JSON.stringify({ mapping: [{ source: "default", target: "opt_two", colls }], filter }));
      const skipped = ["--skip-properties", "collection.autocompaction.enabled"];
      return run("--plan", plan, "--use_auto_index", ...skipped, "--shards", "2", "--description", "of all");
    };

    const tooMany = await planned(1000, tryRestore);
    const document = (await planned(3, restore)) as RestoreDocument;

    expect(tooMany).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/more than \d+ shards .*opt_first/) });
    expect(document.collections.map(({ to }) => to)).toEqual(["opt_two.opt_first", "opt_two.opt_second"]);
    for (const [collection, aliases, shards, description] of [
      ["opt_first", [alias], 3, "of the plan"],
      ["opt_second", [], 2, "of all"],
    ] as const) {
      const name = { database: "opt_two", collection };
      expect(await readRows(b, name)).toEqual(rows);
      const { indexes, ...made } = await snapshot(b, name);
      expect(made).toMatchObject({ shards, aliases });
      expect((await must(b.describeCollection(named(name)))).schema.description).toBe(description);
      expect(made.properties).toEqual({});
      expect(indexes).toMatchObject([{ name: "vec_hnsw", params: { index_type: "AUTOINDEX", metric_type: "L2" } }]);
    }
  });

  test("an alias that points elsewhere is reported and stays where it is", async () => {
    await seedSmall(b, { collection: "opt_holder" }, { rows: 1, index: false, alias });

    const run = await tryRestore("-s", "_clash", "--no-load");

    expect(run.exitCode).toBe(0);
    expect(run.stderr).toMatch(
      /warning: alias opt_alias of default\.opt_coll_clash was not set: it points to opt_holder/,
    );
    expect((await snapshot(b, { collection: "opt_coll_clash" })).aliases).toEqual([]);
    expect((await snapshot(b, { collection: "opt_holder" })).aliases).toEqual([alias]);
  });

  test("--no-index restores rows without index and load, --no-load only without load", async () => {
    const [bare, unloaded] = [
      await restore("-s", "_bare", "--no-index"),
      await restore("-s", "_unloaded", "--no-load"),
    ];

    expect(bare.collections).toMatchObject([{ rows: 50, loaded: false }]);
    expect(unloaded.collections).toMatchObject([{ rows: 50, loaded: false }]);
    expect(await snapshot(b, { collection: "opt_coll_bare" })).toMatchObject({
      indexes: [],
      loadState: "LoadStateNotLoad",
    });
    expect(await snapshot(b, { collection: "opt_coll_unloaded" })).toMatchObject({
      indexes: [{ name: "vec_hnsw" }],
      loadState: "LoadStateNotLoad",
    });
    await createVectorIndex(b, { collection: "opt_coll_bare" });
    await load(b, { collection: "opt_coll_bare" });
    expect(await readRows(b, { collection: "opt_coll_bare" })).toEqual(rows);
  });

  test("--metadata-only makes the collection with its indexes and no rows", async () => {
    const document = await restore("-s", "_meta", "--metadata-only");

    expect(document).toMatchObject({ collections: [{ rows: 0, loaded: true }], staged: { objects: 0 } });
    expect((await snapshot(b, { collection: "opt_coll_meta" })).indexes).toMatchObject([{ name: "vec_hnsw" }]);
    expect(await readRows(b, { collection: "opt_coll_meta" })).toEqual([]);
  });

  describe("--skip-create", () => {
    test("adds the rows to those of a collection with the same schema", async () => {
      const name = { collection: "opt_coll_more" };
      await seedSmall(b, name, { segments: 0, loaded: false });
      await insertSegment(b, name, [smallRow(5_000)]);
      await load(b, name);

      const document = await restore("-s", "_more", "--skip-create");

      expect(document.collections).toMatchObject([{ to: "default.opt_coll_more" }]);
      // Milvus shows what was imported into a loaded collection when it has noticed the new segments.
      const found = await until("the sight of every row", 60_000, async () => {
        const there = await readRows(b, name);
        return there.length > rows.length ? there : undefined;
      });
      expect(found.map(({ id }) => id)).toEqual([...rows.map(({ id }) => id), "5000"]);
    });

    test("puts the backup's index in the place of another one, once the collection is released", async () => {
      const name = { collection: "opt_coll_index" };
      await seedSmall(b, name, { segments: 0, index: false });
      const flat = { field_name: "vec", index_name: "vec_flat", index_type: "FLAT", metric_type: "L2" };
      await must(b.createIndex({ ...named(name), ...flat }));
      await load(b, name);
      const options = ["-s", "_index", "--skip_create_collection", "--drop_exist_index"];

      const refused = await tryRestore(...options);
      await must(b.releaseCollection(named(name)));
      await restore(...options);

      expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("release default.opt_coll_index") });
      const { indexes } = await snapshot(b, name);
      expect(indexes).toMatchObject([{ name: "vec_hnsw", params: { index_type: "HNSW", metric_type: "L2" } }]);
      await load(b, name);
      expect(await readRows(b, name)).toEqual(rows);
      expect(await collectionNames(b, "opt_coll_index")).toEqual(["default.opt_coll_index"]);
    });

    test("refuses another schema, and says what differs", async () => {
      const name = { collection: "opt_coll_other" };
      await must(
        b.createCollection({
          ...named(name),
          fields: [
            { name: "id", data_type: DataType.Int64, is_primary_key: true },
            { name: "title", data_type: DataType.VarChar, max_length: 32 },
            { name: "vec", data_type: DataType.FloatVector, dim: 4 },
          ],
          enable_dynamic_field: true,
        }),
      );

      const run = await tryRestore("-s", "_other", "--skip-create");

      expect(run.exitCode).toBe(1);
      expect(run.stderr).toMatch(/SchemaMismatch/);
      expect(run.stderr).toMatch(/default\.opt_coll_other has another schema .*default\.opt_coll.*title.*vec/s);
      expect(await collectionNames(b, "opt_coll_other")).toEqual(["default.opt_coll_other"]);
    });
  });

  test("--drop-existing replaces a collection, and only once the new one is complete", async () => {
    const name = { collection: "opt_coll_old" };
    // The backup lacks this alias.
    await seedSmall(b, name, { rows: 3, alias: "opt_old_alias" });
    const old = await must(b.describeCollection(named(name)));

    const refused = await tryRestore("-s", "_old");
    const failing = await restoreDamaged("_old", "--drop-existing");
    const afterFailure = await readRows(b, name);
    const replaced = await restore("-s", "_old", "--drop-existing");

    expect(refused).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("default.opt_coll_old exists already"),
    });
    expect(failing).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("ImportFailed") });
    expect(afterFailure).toHaveLength(3);
    expect(replaced.collections[0]?.id).not.toBe(old.collectionID);
    expect(await readRows(b, name)).toEqual(rows);
    expect((await snapshot(b, name)).aliases).toEqual(["opt_old_alias"]);
    expect(await collectionNames(b, "opt_coll_old_replaced")).toEqual([]);
  });

  test("--keep-replaced keeps what is replaced, and says under which name", async () => {
    const name = { collection: "opt_coll_kept" };
    await seedSmall(b, name, { rows: 3, alias: "opt_kept_alias" });
    const { collectionID } = await must(b.describeCollection(named(name)));

    const { collections } = await restore("-s", "_kept", "--drop-existing", "--keep-replaced", "--no-load");

    const aside = `opt_coll_kept_replaced_${collectionID}`;
    expect(collections).toMatchObject([{ to: "default.opt_coll_kept", rows: 50, replaced: `default.${aside}` }]);
    expect(await readRows(b, { collection: aside })).toHaveLength(3);
    expect((await snapshot(b, { collection: aside })).aliases).toEqual([]);
    expect((await snapshot(b, name)).aliases).toEqual(["opt_kept_alias"]);
  });

  test("a log that was altered at the same size is named before anything is made in Milvus", async () => {
    const log = await copyDamaged();

    for (const options of [[], ["--verify", "content"]]) {
      const run = await tryRestoreDamaged("-s", "_altered", ...options);

      expect(run.exitCode).toBe(1);
      expect(run.stderr).toMatch(/CorruptBackup/);
      expect(run.stderr).toContain(`${log} was altered`);
      expect(await collectionNames(b, "opt_coll_altered")).toEqual([]);
    }
  });

  test("--verify content finds nothing wrong with the backup, --verify none says that it did not look", async () => {
    const [compared, unseen] = [
      await restore("-s", "_compared", "--verify", "content", "--no-load"),
      await restore("-s", "_unseen", "--verify", "none", "--no-load"),
    ];

    const ofAlias = expect.stringContaining("alias opt_alias of default.opt_coll_");
    expect(compared).toMatchObject({ collections: [{ rows: 50 }], warnings: [ofAlias] });
    expect(unseen).toMatchObject({
      collections: [{ rows: 50 }],
      warnings: [expect.stringContaining("verify is none: nothing was compared"), ofAlias],
    });
  });

  test("a restore that failed leaves its work under a name of its own, and --discard removes it", async () => {
    const failed = await restoreDamaged("_gone");
    const left = await collectionNames(b, "opt_coll_gone");

    const discarded = await milvusBackup(
      ...["--config", configs.b, "restore", "-n", damagedName, "-c", "opt_coll", "-s", "_gone", "--discard"],
    );

    expect(failed.exitCode).toBe(1);
    expect(failed.stderr).toMatch(/What is left: .*opt_coll_gone_restoring_[0-9a-f]+.*--discard/);
    expect(left).toEqual([expect.stringMatching(/^default\.opt_coll_gone_restoring_[0-9a-f]+$/)]);
    expect(discarded.exitCode).toBe(0);
    expect(await collectionNames(b, "opt_coll_gone")).toEqual([]);
    const arn = /^Execution: (\S+)$/m.exec(failed.stderr)?.[1] ?? "";
    const { stagingPrefix } = await executionFiles("restore", arn).plan();
    expect(await listKeys("bucket-b", stagingPrefix)).toEqual([]);
  });
});

const damagedName = `${backupName}_damaged`;

/** Makes a copy of the backup in which one log is noise of the right size; answers its key. */
async function copyDamaged(): Promise<string> {
  await deletePrefix("bucket-b", `backup/${damagedName}/`);
  await copyPrefix("bucket-b", `backup/${backupName}/`, `backup/${damagedName}/`);
  const [log = ""] = await listKeys("bucket-b", `backup/${damagedName}/binlogs/insert_log/`);
  const { length } = await getBytes("bucket-b", log);
  await putObject("bucket-b", log, "x".repeat(length));
  return log;
}

/** Restores it with every check of keys and sizes passed, so that Milvus itself finds it when it imports. */
async function restoreDamaged(suffix: string, ...options: readonly string[]) {
  await copyDamaged();
  return tryRestoreDamaged("-s", suffix, "--verify", "size", ...options);
}

function tryRestoreDamaged(...options: readonly string[]) {
  return milvusBackup("--config", configs.b, "restore", "-n", damagedName, "-c", "opt_coll", ...options);
}
