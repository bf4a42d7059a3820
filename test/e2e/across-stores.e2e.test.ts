import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { paginateListObjectsV2 } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeBackup, removeAll } from "../../bench/made-backup.ts";
import {
  backupYaml,
  cloudEnvironments,
  minioClient,
  minioEnvironments,
  status,
  stopService,
  up,
} from "../../local/index.ts";
import { projectDir } from "../../local/paths.ts";
import { type BackupDocument, milvusBackup, milvusBackupJson, type RestoreDocument } from "../support/e2e/cli.ts";
import { connectTo, dropCollections } from "../support/e2e/milvus.ts";
import { createNight, listNights, live, nightly, restored } from "../support/e2e/nights.ts";
import { deleteRows, seedSmall } from "../support/e2e/seeds.ts";
import { type Row, readRows, snapshot } from "../support/e2e/snapshot.ts";
import { lockingStore } from "../support/locking-bucket.ts";

/** Seed layout 3: milvus_A and its backups in minio_A, milvus_B and its backups in minio_B; neither store knows the other. Nobody else uses these servers: they are started and ended here. */
const [A, B] = environments();
const [azure, google] = clouds();
const source = { collection: "coll" };
const patience = 600_000;

/** What `copy --json` prints, as far as the tests use it. */
interface TransferDocument extends BackupDocument {
  readonly outcome: "transferred" | "already-there";
  readonly skippedObjects: number;
}

describe("across two object stores", () => {
  const expected: { rows: unknown[]; snapshot: object } = { rows: [], snapshot: {} };
  let wasRunning = false;
  let directory = "";
  let created: BackupDocument;
  let copied: TransferDocument;

  beforeAll(async () => {
    wasRunning = (await status()).some(({ name, health }) => name === A.store.name && health !== "stopped");
    // The first one with MinIO has to build it, which takes minutes.
    await up({ minio: true, clouds: true, deploy: false });
    directory = await mkdtemp(join(tmpdir(), "milvus-backup-across-"));
    const a = await connectTo(A.milvus.address);
    const b = await connectTo(B.milvus.address);
    await Promise.all([dropCollections(a, "coll"), dropCollections(b, "coll")]);
    for (const { backupYaml } of [A, B]) {
      for (const name of ["my_backup", "cross_backup", "other", "far_1", "far_2"]) {
        await milvusBackup("--config", backupYaml, "delete", "-n", name, "--incomplete", "--yes");
      }
    }
    await seedSmall(a, source, { segments: 3, rows: 200 });
    await deleteRows(a, source, "id in [0, 250, 599]");
    expected.rows = await readRows(a, source);
    created = await milvusBackupJson("--config", A.backupYaml, "create", "-c", "coll", "-n", "my_backup");
    expected.snapshot = await snapshot(a, source);
    copied = await milvusBackupJson("--config", A.backupYaml, "copy", "-n", "my_backup", "--to", B.backupYaml);
  }, patience);

  afterAll(async () => {
    await rm(directory, { recursive: true, force: true });
    if (wasRunning) return;
    await Promise.all([A, B].map(({ milvus }) => stopService(milvus)));
    await Promise.all([A, B, azure, google].map(({ store }) => stopService(store)));
  });

  async function expectRestored(collection: string): Promise<void> {
    const b = await connectTo(B.milvus.address);
    expect(await readRows(b, { collection })).toEqual(expected.rows);
    expect(await snapshot(b, { collection })).toEqual(expected.snapshot);
  }

  test("copy moves the whole backup, byte for byte", async () => {
    expect(expected.rows).toHaveLength(597);
    expect(copied).toMatchObject({
      fromEnvironment: "minio-a",
      toEnvironment: "minio-b",
      location: "bucket-b/backup/my_backup/",
      outcome: "transferred",
      segments: created.segments,
      objects: created.objects,
      bytes: created.bytes,
      skippedObjects: 0,
    });
    const [here, there] = [await contentOf(A, "my_backup"), await contentOf(B, "my_backup")];
    expect(there).toEqual(here);
    expect(Object.keys(there)).toContain("meta/full_meta.json");
  });

  test("a backup of many segments is copied by a map run, whose batches its report shows", async () => {
    const large = { name: "large_backup", objects: 1_620, objectSize: 64, logsPerSegment: 1 } as const;
    const [from, to] = [A, B].map(({ store }) => minioClient(store));
    if (from === undefined || to === undefined) throw new Error("there are two stores");
    await makeBackup(from, A.backups, large);

    const { objects, executionArn } = await milvusBackupJson<TransferDocument>(
      ...["--config", A.backupYaml, "copy", "-n", large.name, "--to", B.backupYaml],
    );

    expect(objects).toBe(large.objects);
    expect(await contentOf(B, large.name)).toEqual(await contentOf(A, large.name));
    const name = executionArn.split(":").at(-1) ?? "";
    const { batches } = await milvusBackupJson<{ batches: { total: number; succeeded: number } }>(
      ...["--config", A.backupYaml, "report", "--execution", name],
    );
    expect(batches.total).toBeGreaterThan(8);
    expect(batches.succeeded).toBe(batches.total);
    await removeAll(from, A.backups.bucket, `${A.backups.rootPath}/${large.name}/`);
    await removeAll(to, B.backups.bucket, `${B.backups.rootPath}/${large.name}/`);
    for (const client of [from, to]) client.destroy();
  });

  test("the copied backup restores into the other Milvus, every row of it", async () => {
    const document = await milvusBackupJson<RestoreDocument>(
      ...["--config", B.backupYaml, "restore", "-c", "coll", "-n", "my_backup", "-s", "_bak"],
    );

    expect(document.collections).toMatchObject([
      {
        from: "default.coll",
        to: "default.coll_bak",
        rows: 597,
        location: expect.stringMatching(/^bucket-b\/files\//),
      },
    ]);
    await expectRestored("coll_bak");
  });

  test("restore --from reads a backup in the other store, and copies only what it needs", async () => {
    const before = Object.keys(await contentOf(B, ""));

    const document = await milvusBackupJson<RestoreDocument>(
      ...["--config", B.backupYaml, "restore", "-c", "coll", "-n", "my_backup", "-s", "_from", "--from", A.backupYaml],
    );

    expect(document.staged.objects).toBe(created.objects);
    await expectRestored("coll_from");
    // no copy of the backup was made on the way
    expect(Object.keys(await contentOf(B, ""))).toEqual(before);
  });

  test("copied again, it is there already: nothing moves", async () => {
    const again = await milvusBackup("--config", A.backupYaml, "copy", "-n", "my_backup", "--to", B.backupYaml);
    const json = await milvusBackupJson<TransferDocument>(
      ...["--config", A.backupYaml, "copy", "-n", "my_backup", "--to", B.backupYaml],
    );

    expect(again).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("is in minio-b already") });
    expect(json).toMatchObject({ outcome: "already-there", skippedObjects: created.objects });
  });

  test("crossStorage in one backup.yaml backs up straight into the other store", async () => {
    const file = join(directory, "minio-cross.yaml");
    const yaml = backupYaml({
      ...A.milvus,
      backupBucket: B.backups.bucket,
      backupRootPath: B.backups.rootPath,
      backupStorage: B.store,
    });
    await writeFile(file, yaml);

    const document = await milvusBackupJson<BackupDocument>(
      ...["--config", file, "create", "--replace", "-c", "coll", "-n", "cross_backup"],
    );
    await milvusBackupJson("--config", B.backupYaml, "restore", "-c", "coll", "-n", "cross_backup", "-s", "_cross");
    await milvusBackup("env", "rm", "minio-cross", "--yes");

    expect(document.location).toBe("bucket-b/backup/cross_backup/");
    expect(Object.keys(await contentOf(A, "cross_backup"))).toEqual([]);
    await expectRestored("coll_cross");
  });

  describe("and the stores of two clouds", () => {
    const copy = (from: string, ...to: string[]) =>
      milvusBackupJson<TransferDocument>("--config", from, "copy", "-n", "my_backup", "--to", ...to);
    const moved = () => ({
      outcome: "transferred",
      segments: created.segments,
      objects: created.objects,
      bytes: created.bytes,
      skippedObjects: 0,
    });
    const verified = async (yaml: string, suffix: string) => {
      const arguments_ = ["-c", "coll", "-n", "my_backup", "-s", suffix, "--verify", "content"];
      await milvusBackupJson<RestoreDocument>("--config", yaml, "restore", ...arguments_);
      await expectRestored(`coll${suffix}`);
    };
    let home = "";

    beforeAll(async () => {
      home = join(directory, "minio-home.yaml");
      const { bucket } = B.backups;
      await writeFile(home, backupYaml({ ...B.milvus, backupBucket: bucket, backupRootPath: "came_home" }));
      for (const { backupYaml } of [azure, google]) {
        for (const name of ["my_backup", "straight"]) {
          await milvusBackup("--config", backupYaml, "delete", "-n", name, "--incomplete", "--yes");
        }
      }
      await milvusBackup("--config", home, "delete", "-n", "my_backup", "--incomplete", "--yes");
    });

    test("a backup travels from MinIO to Azure, to Google and home, and each stop restores it whole", async () => {
      expect(await copy(A.backupYaml, azure.backupYaml)).toMatchObject({ ...moved(), toEnvironment: "azurite" });
      expect(await copy(A.backupYaml, azure.backupYaml)).toMatchObject({
        outcome: "already-there",
        skippedObjects: created.objects,
      });
      await verified(azure.backupYaml, "_azure");
      expect(await copy(azure.backupYaml, google.backupYaml)).toMatchObject({ ...moved(), toEnvironment: "fake-gcs" });
      await verified(google.backupYaml, "_google");
      expect(await copy(google.backupYaml, home)).toMatchObject({ ...moved(), toEnvironment: "minio-home" });
      await verified(home, "_home");

      const at = (path: string) => contentOf({ ...B, backups: { ...B.backups, rootPath: path } }, "my_backup");
      expect(await at("came_home")).toEqual(await at("backup"));
    });

    test.each([
      ["Azure", azure],
      ["Google", google],
    ])("create writes straight into that of %s, list and get show it, delete removes it", async (_, { backupYaml }) => {
      const { objects } = await milvusBackupJson<BackupDocument>(
        ...["--config", backupYaml, "create", "-c", "coll_bak", "-n", "straight"],
      );
      expect(objects).toBeGreaterThan(0);
      const shown = await milvusBackup("--config", backupYaml, "get", "-n", "straight");
      expect(shown).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("coll_bak") });
      expect((await milvusBackup("--config", backupYaml, "check")).exitCode).toBe(0);

      expect(await milvusBackup("--config", backupYaml, "delete", "-n", "straight", "--yes")).toMatchObject({
        exitCode: 0,
      });

      const left = await milvusBackup("--config", backupYaml, "list");
      expect(left.stdout).not.toContain("straight");
    });
  });

  describe("what cannot be copied is told, and nothing is left", () => {
    test("another backup of that name at the destination", async () => {
      await milvusBackupJson("--config", A.backupYaml, "create", "-c", "coll", "-n", "other");
      await milvusBackupJson("--config", B.backupYaml, "create", "-c", "coll_bak", "-n", "other");
      const before = await contentOf(B, "other");

      const run = await milvusBackup("--config", A.backupYaml, "copy", "-n", "other", "--to", B.backupYaml);

      expect(run).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("Error (BackupExists)") });
      expect(run.stderr).toContain(`bucket-b at ${B.store.address} under backup/other/`);
      expect(await contentOf(B, "other")).toEqual(before);
    });

    test("a backup that is not there", async () => {
      const run = await milvusBackup("--config", A.backupYaml, "copy", "-n", "nothing", "--to", B.backupYaml);

      expect(run).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("Error (BackupNotFound)") });
      expect(run.stderr).toContain(`bucket-a at ${A.store.address} under backup/nothing/`);
    });

    test("an environment that is not registered", async () => {
      const run = await milvusBackup(
        "--config",
        A.backupYaml,
        "copy",
        "-n",
        "my_backup",
        "--to-environment",
        "nowhere",
      );

      expect(run).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("Error (UnknownEnvironment)") });
      expect(run.stderr).toContain("nowhere");
    });

    test("a destination with the source's keys", async () => {
      const file = join(directory, "minio-mixed-up.yaml");
      const yaml = await readFile(B.backupYaml, "utf8");
      await writeFile(
        file,
        yaml
          .replaceAll(B.store.accessKeyId, A.store.accessKeyId)
          .replaceAll(B.store.secretAccessKey, A.store.secretAccessKey),
      );

      const run = await milvusBackup("--config", A.backupYaml, "copy", "-n", "my_backup", "--to", file);
      await milvusBackup("env", "rm", "minio-mixed-up", "--yes");

      expect(run).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("Error (StoreAccessDenied)") });
      expect(run.stderr).toContain(B.store.address);
      expect(run.stderr + run.stdout).not.toContain(A.store.secretAccessKey);
    });
  });

  test("a locked backup stays: the store refuses to remove it, delete says until when, and what was hidden comes back", async () => {
    const lockable = await lockingStore(A, `locked-${Date.now()}`);
    const file = join(directory, "minio-locked.yaml");
    const written = backupYaml({ ...A.milvus, backupBucket: lockable.bucket, backupRootPath: "backup" });
    await writeFile(file, written.replace(/^minio:$/m, "minio:\n  backupStorageClass: REDUCED_REDUNDANCY"));
    const run = (...arguments_: string[]) => milvusBackup("--config", file, ...arguments_);
    const create = (name: string, time: string) =>
      milvusBackupJson<BackupDocument & { lock: { mode: string; until: string } }>(
        ...["--config", file, "create", "--incremental", "-c", "coll", "-n", name, "--lock", time],
      );
    try {
      expect((await run("check")).stdout).toContain("Object Lock on");
      const first = await create("locked_1", "30d");
      const second = await create("locked_2", "40d");
      await milvusBackupJson("--config", A.backupYaml, "copy", "-n", "my_backup", "--to", file, "--lock", "30d");

      const [until] = first.lock.until.split("T");
      const list = await run("list");
      expect(list.stdout).toMatch(new RegExp(`locked_1 .*complete, locked until ${until} .* UTC \\(governance\\)`));
      expect(list.stdout).toMatch(/my_backup .*complete, locked until/);
      expect((await run("get", "-n", "locked_1")).stdout).toMatch(new RegExp(`locked +until ${until}`));
      const deleted = await run("delete", "-n", "locked_1", "--yes");
      expect(deleted).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(`locked until ${until}`) });

      const objects = await lockable.objects();
      const shared = objects.filter(
        ({ key }) => key.includes("/insert_log/") && key.includes("milvus-backup-segments"),
      );
      expect(shared.length).toBeGreaterThan(0);
      // the second backup names them again, and stays longer
      for (const { until } of shared) expect(until).toBe(second.lock.until);
      for (const { key, storageClass, refused } of objects) {
        if (/claim|source\.json/.test(key)) continue;
        expect(refused, key).toContain("WORM protected");
        expect(storageClass, key).toBe(/_log\//.test(key) ? "REDUCED_REDUNDANCY" : "STANDARD");
      }

      // somebody deletes by hand: the versions are there, and so is the backup once the markers are gone
      await lockable.hide("backup/locked_1/");
      expect((await run("list")).stdout).not.toContain("locked_1");
      const swept = await run("sweep", "--yes");
      expect(swept).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("Nothing to free") });
      await lockable.bringBack("backup/locked_1/");
      const b = await connectTo(A.milvus.address);
      await milvusBackupJson<RestoreDocument>(
        "--config",
        file,
        "restore",
        "-c",
        "coll",
        "-n",
        "locked_1",
        "-s",
        "_lock",
      );
      expect(await readRows(b, { collection: "coll_lock" })).toEqual(expected.rows);
      await dropCollections(b, "coll_lock");

      const refused = await milvusBackup("--config", A.backupYaml, "create", "-c", "coll", "-n", "no", "--lock", "1d");
      expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("has no Object Lock") });
      expect(Object.keys(await contentOf(A, "no"))).toEqual([]);
    } finally {
      await milvusBackup("env", "rm", "minio-locked");
      lockable.close();
    }
  });

  test(
    "incremental backups copy what is new only, stay complete there, and become plain where asked",
    async () => {
      const a = await connectTo(A.milvus.address);
      const b = await connectTo(B.milvus.address);
      await Promise.all([dropCollections(a, "nightly"), dropCollections(b, "nightly")]);
      await seedSmall(a, nightly, { segments: 3, rows: 100 });
      const expected = new Map<string, Row[]>();
      const logsThere = async (name: string) =>
        Object.keys(await contentOf(B, "")).filter(
          (key) => /^milvus-backup-segments\/[^/]+\/insert_log\//.test(key) || key.startsWith(`${name}/binlogs/`),
        );
      for (const day of [1, 2]) {
        const name = `far_${day}`;
        await createNight(A.backupYaml, name);
        expected.set(name, await readRows(a, nightly));
        const before = await logsThere(name);
        const { objects, skippedObjects } = await milvusBackupJson<TransferDocument>(
          ...["--config", A.backupYaml, "copy", "-n", name, "--to", B.backupYaml],
        );
        // Milvus may compact in between, whenever it likes: what is copied is what was not there
        const appeared = (await logsThere(name)).filter((key) => !before.includes(key));
        expect(objects - skippedObjects).toBe(appeared.length);
        await live(a, day);
      }
      for (const [name, rows] of expected) expect(await restored(B.backupYaml, b, name), name).toEqual(rows);

      const over = await milvusBackup("--config", A.backupYaml, "copy", "-n", "far_2", "--plain", "--to", B.backupYaml);
      expect(over).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining("an incremental backup far_2 exists"),
      });
      await milvusBackupJson("--config", B.backupYaml, "delete", "-n", "far_2", "--yes");
      await milvusBackupJson("--config", A.backupYaml, "copy", "-n", "far_2", "--plain", "--to", B.backupYaml);
      const backups = await listNights(B.backupYaml);
      expect(backups).toMatchObject([
        { backupName: "far_1", incremental: true },
        { backupName: "far_2", incremental: false },
      ]);
      expect(await restored(B.backupYaml, b, "far_2")).toEqual(expected.get("far_2"));
      for (const { backupYaml } of [A, B]) {
        for (const name of ["far_1", "far_2"])
          await milvusBackupJson("--config", backupYaml, "delete", "-n", name, "--yes");
      }
    },
    patience,
  );
});

type MinioEnvironment = (typeof minioEnvironments)[number];
type CloudEnvironment = (typeof cloudEnvironments)[number];

function clouds(): [CloudEnvironment, CloudEnvironment] {
  const [a, b] = cloudEnvironments;
  if (a === undefined || b === undefined) throw new Error("the local stack has the stores of two clouds");
  return [a, b];
}

function environments(): [MinioEnvironment, MinioEnvironment] {
  const [a, b] = minioEnvironments;
  if (a === undefined || b === undefined) throw new Error("the local stack has two environments with MinIO");
  // As a person in the project's folder would write it.
  return [
    { ...a, backupYaml: relative(projectDir, a.backupYaml) },
    { ...b, backupYaml: relative(projectDir, b.backupYaml) },
  ];
}

/** Path and ETag of all that lies under a backup of an environment (`""`: under all its backups), by the plain SDK. */
async function contentOf({ store, backups }: MinioEnvironment, name: string): Promise<Record<string, string>> {
  const client = minioClient(store);
  const Prefix = `${[backups.rootPath, name].filter((part) => part !== "").join("/")}/`;
  const content: Record<string, string> = {};
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: backups.bucket, Prefix })) {
    for (const { Key = "", ETag = "" } of Contents) content[Key.slice(Prefix.length)] = ETag;
  }
  client.destroy();
  return content;
}
