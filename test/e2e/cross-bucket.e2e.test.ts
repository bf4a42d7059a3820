import { beforeAll, describe, expect, test } from "vitest";
import { logsOfBackup } from "../support/e2e/backup-keys.ts";
import {
  type CliRun,
  configs,
  milvusBackup,
  milvusBackupJson,
  type RestoreDocument,
  shell,
} from "../support/e2e/cli.ts";
import { executionFiles } from "../support/e2e/executions.ts";
import { connectToServer, dropCollections, load, must, named } from "../support/e2e/milvus.ts";
import { deletePrefix, listKeys, listObjects } from "../support/e2e/objects.ts";
import { deleteRows, insertSegment, seedSmall, smallRow } from "../support/e2e/seeds.ts";
import { readRows, readRowsByPartition, snapshot } from "../support/e2e/snapshot.ts";

/** Seed layout 1: milvus_A keeps its data in bucket_A/files, milvus_B in bucket_B/files, backups lie in bucket_B/backup. */
const source = { collection: "coll" };
const target = { collection: "coll_bak" };

const sealed = 2;
const rowsEach = 400;

describe("the two commands of the seed, as they stand there", async () => {
  const a = await connectToServer("milvus-a");
  const b = await connectToServer("milvus-b");
  const before = { rows: {}, snapshot: {} };
  let create: CliRun;
  let restore: CliRun;

  beforeAll(async () => {
    await Promise.all([
      dropCollections(a, "coll"),
      dropCollections(b, "coll"),
      deletePrefix("bucket-b", "backup/my_backup/"),
    ]);
    await seedSmall(a, source, { segments: sealed, rows: rowsEach, loaded: false });
    await must(a.createPartition({ ...named(source), partition_name: "p1" }));
    const other = Array.from({ length: 100 }, (_, row) => smallRow(10_000 + row));
    await insertSegment(a, source, other, "p1");
    await load(a, source);
    await deleteRows(a, source, "id in [0, 1, 399, 10007]");
    // Not sealed yet: the backup has to flush them.
    await must(a.insert({ ...named(source), data: [smallRow(20_000), smallRow(20_001)] as never[] }));
    before.rows = await readRowsByPartition(a, source);
    create = await shell(
      ". .local/aws.env && npx milvus-backup --config .local/milvus-a.yaml create -c coll -n my_backup",
    );
    before.snapshot = await snapshot(a, source);
    restore = await shell(
      ". .local/aws.env && npx milvus-backup --config .local/milvus-b.yaml restore -c coll -n my_backup -s _bak",
    );
  });

  test("both end well and say what they did", () => {
    expect(create).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("Backup my_backup is complete.") });
    expect(create.stdout).toContain("bucket-b/backup/my_backup");
    expect(restore).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("Restored 1 collection") });
    // in the backup, left out as deleted, imported, counted
    expect(restore.stdout).toMatch(/default\.coll_bak +902 +4 +898 +898 /);
  });

  test("every row and vector is there, in its partition; deleted rows are not", async () => {
    const restored = await readRowsByPartition(b, target);

    expect(restored).toEqual(before.rows);
    expect(Object.values(restored).map((rows) => rows.length)).toEqual([sealed * rowsEach - 3 + 2, 100 - 1]);
    expect(await readRows(b, target)).toHaveLength(898);
  });

  test("schema, partitions, indexes and load state are the same", async () => {
    expect(await snapshot(b, target)).toEqual(before.snapshot);
    expect(before.snapshot).toMatchObject({
      enableDynamicField: true,
      partitions: ["_default", "p1"],
      indexes: [{ field: "vec", name: "vec_hnsw" }],
      loadState: "LoadStateLoaded",
    });
  });

  test("a search finds the same rows at the same distances", async () => {
    const query = { data: smallRow(5).vec as number[], limit: 10, output_fields: ["id", "title", "extra"] };
    const [there, here] = [
      await must(a.search({ ...named(source), ...query })),
      await must(b.search({ ...named(target), ...query })),
    ];

    expect(here.results).toEqual(there.results);
    expect(here.results[0]).toMatchObject({ id: "5", title: "row 5 é漢字" });
  });

  test("the restored data lies under the new collection's ID in bucket-b", async () => {
    const { collectionID } = await must(b.describeCollection(named(target)));

    const objects = await listObjects("bucket-b", `files/insert_log/${collectionID}/`);

    expect(objects.length).toBeGreaterThan(0);
    expect(objects.every(({ size }) => size > 0)).toBe(true);
    expect(restore.stdout).toContain(`bucket-b/files/insert_log/${collectionID}`);
  });

  // Its segments are Milvus's own affair: it may compact them at any time.
  test("the backup left the source as it was", async () => {
    expect(await readRowsByPartition(a, source)).toEqual(before.rows);
    expect(await snapshot(a, source)).toEqual(before.snapshot);
  });

  test("the same restore under another name goes through a staging prefix and cleans it up", async () => {
    const document = await milvusBackupJson<RestoreDocument>(
      ...["--config", configs.b, "restore", "-c", "coll", "-n", "my_backup", "-s", "_json"],
    );

    expect(document.collections).toMatchObject([{ from: "default.coll", to: "default.coll_json", rows: 898 }]);
    expect(document.staged.objects).toBeGreaterThan(0);
    const { stagingPrefix } = await executionFiles("restore", document.executionArn).plan();
    expect(stagingPrefix).toMatch(/^milvus-backup-staging\/./);
    expect(await listKeys("bucket-b", stagingPrefix)).toEqual([]);
    expect(await readRowsByPartition(b, { collection: "coll_json" })).toEqual(before.rows);
  });

  test("list and get show the backup, as text and as JSON", async () => {
    const [list, get, listed, got] = await Promise.all([
      milvusBackup("--config", configs.a, "list"),
      milvusBackup("--config", configs.a, "get", "-n", "my_backup"),
      milvusBackupJson<{ backups: { backupName: string; state: string }[] }>("--config", configs.a, "list"),
      milvusBackupJson("--config", configs.b, "get", "-n", "my_backup"),
    ]);

    expect(list.exitCode).toBe(0);
    expect(list.stdout).toMatch(/^my_backup .*complete/m);
    expect(get.stdout).toMatch(/default\.coll +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC +902/);
    expect(listed.backups).toContainEqual(expect.objectContaining({ backupName: "my_backup", state: "complete" }));
    expect(got).toMatchObject({
      kind: "backup",
      version: 1,
      backupName: "my_backup",
      state: "complete",
      location: "bucket-b/backup/my_backup/",
      milvusVersion: expect.stringContaining("2.3.5"),
      collections: [
        {
          collection: "default.coll",
          instant: { time: expect.stringMatching(/^\d{4}-.*Z$/) },
          rows: 902,
          loadState: "Loaded",
          indexes: [{ field: "vec", index: "vec_hnsw", type: "HNSW" }],
          partitions: [
            { partition: "_default", rows: 802 },
            { partition: "p1", rows: 100 },
          ],
        },
      ],
    });
  });

  test("what the meta names is what lies there, each segment in a group of its own, and nothing else", async () => {
    const keys = await listKeys("bucket-b", "backup/my_backup/");
    const { inMeta, there } = await logsOfBackup("my_backup");

    // Readers look for the commit record by its prefix.
    expect(keys.filter((key) => key.startsWith("backup/my_backup/meta/full_meta.json"))).toHaveLength(1);
    expect(inMeta).toEqual(there);
    for (const { key } of there.filter((log) => log.key.includes("/insert_log/"))) {
      // <collection>/<partition>/<group>/<segment>/<field>/<log>
      const [, , group, segment] = key.split("/insert_log/")[1]?.split("/") ?? [];
      expect(group).toBe(segment);
    }
  });
});
