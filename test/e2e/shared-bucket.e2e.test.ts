import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { milvusService, stackInfo, status, stopService, up } from "../../local/index.ts";
import { milvusBackup, milvusBackupJson, type RestoreDocument } from "../support/e2e/cli.ts";
import { executionFiles } from "../support/e2e/executions.ts";
import { connectTo, dropCollections, must, named } from "../support/e2e/milvus.ts";
import { createNight, live, nightly, restored } from "../support/e2e/nights.ts";
import { listKeys } from "../support/e2e/objects.ts";
import { deleteRows, seedSmall } from "../support/e2e/seeds.ts";
import { type Row, readRows, snapshot } from "../support/e2e/snapshot.ts";

/** Seed layout 2: one bucket, milvus_A in bucket_A/files_A, milvus_B in bucket_A/files_B, the backups in bucket_A/backup. Nobody else uses these servers: they are started and ended here. */
const [A, B] = await servers();
const few = { collection: "few" };
const many = { collection: "many" };
const backupName = "shared_bucket";
const patience = 900_000;

describe("one bucket, two root paths", () => {
  const expected: Record<string, { rows: unknown[]; snapshot: object }> = {};
  let wasRunning = false;

  beforeAll(async () => {
    wasRunning = (await status()).some(({ name, health }) => name === A.name && health !== "stopped");
    await up({ sharedBucket: true, deploy: false });
    const a = await connectTo(A.address);
    const b = await connectTo(B.address);
    for (const client of [a, b]) for (const name of ["few", "many"]) await dropCollections(client, name);
    for (const name of [backupName, "shared_1", "shared_2"]) {
      await milvusBackup("--config", A.backupYaml, "delete", "-n", name, "--incomplete", "--yes");
    }
    await seedSmall(a, few, { segments: 1, rows: 500 });
    await seedSmall(a, many, { segments: 6, rows: 50 });
    await deleteRows(a, many, "id in [0, 60, 299]");
    await milvusBackupJson("--config", A.backupYaml, "create", "-c", "few,many", "-n", backupName);
    for (const name of [few, many]) {
      expected[name.collection] = { rows: await readRows(a, name), snapshot: await snapshot(a, name) };
    }
  });

  afterAll(async () => {
    if (!wasRunning)
      for (const { name, port, bucket, rootPath } of [A, B])
        await stopService(milvusService({ name, port, bucket, rootPath }));
  });

  async function restore(collection: string): Promise<RestoreDocument> {
    return milvusBackupJson("--config", B.backupYaml, "restore", "-c", collection, "-n", backupName, "-s", "_bak");
  }

  async function expectRestored(collection: string, document: RestoreDocument): Promise<void> {
    const b = await connectTo(B.address);
    const target = { collection: `${collection}_bak` };
    expect(await readRows(b, target)).toEqual(expected[collection]?.rows);
    expect(await snapshot(b, target)).toEqual(expected[collection]?.snapshot);
    const { collectionID } = await must(b.describeCollection(named(target)));
    expect(document.collections[0]).toMatchObject({
      id: collectionID,
      location: `bucket-a/files_B/insert_log/${collectionID}/`,
    });
    expect((await listKeys("bucket-a", `files_B/insert_log/${collectionID}/`)).length).toBeGreaterThan(0);
  }

  test("a backup of few segments is imported where it lies, without a copy", async () => {
    const document = await restore("few");

    await expectRestored("few", document);
    const directories = await executionFiles("restore", document.executionArn).importFiles();
    expect(directories).toHaveLength(1);
    for (const { insert } of directories) expect(insert).toMatch(/^backup\/shared_bucket\/binlogs\/insert_log\//);
  });

  test("many small segments are staged in the same bucket and imported as one", async () => {
    const document = await restore("many");

    await expectRestored("many", document);
    const files = executionFiles("restore", document.executionArn);
    const { stagingPrefix } = await files.plan();
    const directories = await files.importFiles();
    expect(directories).toHaveLength(1);
    expect(directories[0]?.insert.startsWith(stagingPrefix)).toBe(true);
    expect(await listKeys("bucket-a", stagingPrefix)).toEqual([]);
  });

  test("the backup lies beside both root paths", async () => {
    const keys = await listKeys("bucket-a", `backup/${backupName}/`);

    expect(keys).toContain(`backup/${backupName}/meta/full_meta.json`);
  });

  test(
    "incremental backups are read in place or staged, whichever is quicker, and complete",
    async () => {
      const a = await connectTo(A.address);
      const b = await connectTo(B.address);
      await Promise.all([dropCollections(a, "nightly"), dropCollections(b, "nightly")]);
      await seedSmall(a, nightly, { segments: 2, rows: 200 });
      const expected = new Map<string, Row[]>();
      for (const day of [1, 2]) {
        await createNight(A.backupYaml, `shared_${day}`);
        expected.set(`shared_${day}`, await readRows(a, nightly));
        await live(a, day);
      }
      for (const [name, rows] of expected) expect(await restored(B.backupYaml, b, name), name).toEqual(rows);
      await milvusBackupJson("--config", A.backupYaml, "delete", "-n", "shared_1", "--yes");
      expect(await restored(B.backupYaml, b, "shared_2")).toEqual(expected.get("shared_2"));
      await milvusBackupJson("--config", A.backupYaml, "delete", "-n", "shared_2", "--yes");
    },
    patience,
  );
});

async function servers() {
  const [a, b] = (await stackInfo()).sharedBucket;
  if (a === undefined || b === undefined) throw new Error("the local stack has no servers that share a bucket");
  return [a, b] as const;
}
