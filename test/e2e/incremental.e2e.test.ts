import type { MilvusClient } from "@zilliz/milvus2-sdk-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { milvusService, minioEnvironments, stackInfo, status, stopService, up } from "../../local/index.ts";
import {
  type BackupDocument,
  configs,
  milvusBackup,
  milvusBackupJson,
  type RestoreDocument,
} from "../support/e2e/cli.ts";
import { connectTo, connectToServer, dropCollections, must, named } from "../support/e2e/milvus.ts";
import { deletePrefix, listKeys } from "../support/e2e/objects.ts";
import { deleteRows, insertSegment, seedSmall, smallRow } from "../support/e2e/seeds.ts";
import { type Row, readRows } from "../support/e2e/snapshot.ts";

/** Long sequences of writes, backups, deletions and sweeps: every backup that is listed restores to what the collection was then. */
const coll = { collection: "nightly" };
const patience = 900_000;

interface IncrementalDocument extends BackupDocument {
  readonly objects: number;
  readonly newObjects?: number;
}

interface ListedBackup {
  readonly name: string;
  readonly incremental: boolean;
  readonly size: number;
  readonly ownBytes?: number;
}

const create = (config: string, name: string) =>
  milvusBackupJson<IncrementalDocument>("--config", config, "create", "--incremental", "-c", "nightly", "-n", name);

const list = async (config: string) =>
  (await milvusBackupJson<{ backups: ListedBackup[] }>("--config", config, "list", "-c", "nightly")).backups;

/** Restores a backup under a name of its own and reads its rows; what it made is dropped again. */
async function restored(config: string, client: MilvusClient, name: string): Promise<Row[]> {
  await milvusBackupJson<RestoreDocument>(
    ...["--config", config, "restore", "-c", "nightly", "-n", name, "-s", `_${name}`],
  );
  const rows = await readRows(client, { collection: `nightly_${name}` });
  await must(client.dropCollection(named({ collection: `nightly_${name}` })));
  return rows;
}

function pairOf<T>([a, b]: readonly T[]): readonly [T, T] {
  if (a === undefined || b === undefined) throw new Error("the local stack has no two of them");
  return [a, b];
}

/** Writes of one day, by its number: new rows, some of them replaced, some deleted. */
async function live(client: MilvusClient, day: number): Promise<void> {
  const first = day * 1_000;
  await insertSegment(
    client,
    coll,
    Array.from({ length: 60 }, (_, row) => smallRow(first + row)),
  );
  await must(client.upsert({ ...named(coll), data: [smallRow(first), smallRow(1)] as never[] }));
  await deleteRows(client, coll, `id in [${first + 5}, ${day + 10}]`);
}

describe(
  "nights in two buckets",
  async () => {
    const a = await connectToServer("milvus-a");
    const b = await connectToServer("milvus-b");
    const expected = new Map<string, Row[]>();
    const nights: IncrementalDocument[] = [];
    /** Objects that lay in the store after each night and not before it. */
    const appeared: number[] = [];
    const night = async (name: string) => {
      const stored = async () => new Set(await listKeys("bucket-b", "backup/milvus-backup-segments/"));
      const before = await stored();
      nights.push(await create(configs.a, name));
      expected.set(name, await readRows(a, coll));
      const shared = [...(await stored())].filter((key) => key.includes("/insert_log/") && !before.has(key));
      appeared.push(shared.length + (await listKeys("bucket-b", `backup/${name}/binlogs/`)).length);
    };

    beforeAll(async () => {
      await Promise.all([dropCollections(a, "nightly"), dropCollections(b, "nightly")]);
      for (const prefix of ["backup/night", "backup/milvus-backup-segments/"]) await deletePrefix("bucket-b", prefix);
      await seedSmall(a, coll, { segments: 4, rows: 100 });
      for (const day of [1, 2, 3]) {
        await night(`night_${day}`);
        if (day === 1) await night("night_1b");
        await live(a, day);
        if (day === 2) await must(a.compact(named(coll)));
      }
    }, patience);

    test("store what is new only, and say so", async () => {
      const [first] = nights;
      expect(first?.newObjects).toBe(first?.objects);
      // Milvus may compact in between, whenever it likes: what is new is what was not there, and the deletes
      expect(nights.map(({ newObjects }) => newObjects)).toEqual(appeared);
      const text = await milvusBackup("--config", configs.a, "get", "-n", "night_2");
      expect(text.stdout).toMatch(/incremental +\d+ objects? of .* were new; deleting it would free/);
      const backups = await list(configs.a);
      expect(backups.map(({ name }) => name)).toEqual(["night_1", "night_1b", "night_2", "night_3"]);
      expect(backups.every(({ incremental }) => incremental)).toBe(true);
      for (const { ownBytes = 0, size } of backups) expect(ownBytes).toBeLessThanOrEqual(size);
    });

    test("each restores completely, in place or staged", async () => {
      for (const [name, rows] of expected) expect(await restored(configs.b, b, name), name).toEqual(rows);
    });

    test(
      "any can be deleted, in any order, and the others restore; sweep finds nothing more",
      async () => {
        const before = await milvusBackup("--config", configs.a, "delete", "-n", "night_1b", "--yes");
        expect(before.stdout).toMatch(/and \d+ segments? \(.*\) that no other backup names/);
        const deleted = await milvusBackup("--config", configs.a, "delete", "-n", "night_2", "--yes");
        expect(deleted.exitCode).toBe(0);
        const swept = await milvusBackup("--config", configs.a, "sweep", "--dry-run");
        expect(swept.stdout).toContain("Nothing to free");
        for (const name of ["night_3", "night_1"]) {
          expect(await restored(configs.b, b, name), name).toEqual(expected.get(name));
        }
        for (const name of ["night_1", "night_3"]) {
          expect((await milvusBackup("--config", configs.a, "delete", "-n", name, "--yes")).exitCode).toBe(0);
        }
        expect(await listKeys("bucket-b", "backup/milvus-backup-segments/")).toEqual([]);
        expect(await list(configs.a)).toEqual([]);
      },
      patience,
    );

    test("wrong input says what to do", async () => {
      const both = await milvusBackup("--config", configs.a, "create", "--incremental", "--metadata-only", "-n", "x");
      expect(both).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("--metadata-only") });
      const reserved = await milvusBackup("--config", configs.a, "create", "-n", "milvus-backup-segments");
      expect(reserved).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("choose another name") });
    });
  },
  patience,
);

describe(
  "nights in one bucket with two root paths",
  async () => {
    const [A, B] = pairOf((await stackInfo()).sharedBucket);
    let wasRunning = false;

    beforeAll(async () => {
      wasRunning = (await status()).some(({ name, health }) => name === A.name && health !== "stopped");
      await up({ sharedBucket: true, deploy: false });
    }, patience);

    afterAll(async () => {
      if (wasRunning) return;
      for (const { name, port, bucket, rootPath } of [A, B]) {
        await stopService(milvusService({ name, port, bucket, rootPath }));
      }
    });

    test(
      "are read in place or staged, whichever is quicker, and complete",
      async () => {
        const a = await connectTo(A.address);
        const b = await connectTo(B.address);
        await Promise.all([dropCollections(a, "nightly"), dropCollections(b, "nightly")]);
        await seedSmall(a, coll, { segments: 2, rows: 200 });
        const expected = new Map<string, Row[]>();
        for (const day of [1, 2]) {
          await create(A.backupYaml, `shared_${day}`);
          expected.set(`shared_${day}`, await readRows(a, coll));
          await live(a, day);
        }
        for (const [name, rows] of expected) expect(await restored(B.backupYaml, b, name), name).toEqual(rows);
        await milvusBackupJson("--config", A.backupYaml, "delete", "-n", "shared_1", "--yes");
        expect(await restored(B.backupYaml, b, "shared_2")).toEqual(expected.get("shared_2"));
        await milvusBackupJson("--config", A.backupYaml, "delete", "-n", "shared_2", "--yes");
      },
      patience,
    );
  },
  patience,
);

describe(
  "nights across two object stores",
  () => {
    const [A, B] = pairOf(minioEnvironments);
    let wasRunning = false;

    beforeAll(async () => {
      wasRunning = (await status()).some(({ name, health }) => name === A.store.name && health !== "stopped");
      await up({ minio: true, deploy: false });
    }, patience);

    afterAll(async () => {
      if (wasRunning) return;
      await Promise.all([A, B].map(({ milvus }) => stopService(milvus)));
      await Promise.all([A, B].map(({ store }) => stopService(store)));
    });

    test(
      "copy what is new only, stay complete there, and become plain where asked",
      async () => {
        const a = await connectTo(A.milvus.address);
        const b = await connectTo(B.milvus.address);
        await Promise.all([dropCollections(a, "nightly"), dropCollections(b, "nightly")]);
        await seedSmall(a, coll, { segments: 3, rows: 100 });
        const expected = new Map<string, Row[]>();
        const copies: { objects: number; skippedObjects: number }[] = [];
        for (const day of [1, 2]) {
          const name = `far_${day}`;
          await create(A.backupYaml, name);
          expected.set(name, await readRows(a, coll));
          copies.push(await milvusBackupJson("--config", A.backupYaml, "copy", "-n", name, "--to", B.backupYaml));
          await live(a, day);
        }
        expect(copies[0]).toMatchObject({ skippedObjects: 0 });
        expect(copies[1]?.skippedObjects).toBeGreaterThan(0);
        for (const [name, rows] of expected) expect(await restored(B.backupYaml, b, name), name).toEqual(rows);

        const over = await milvusBackup(
          "--config",
          A.backupYaml,
          "copy",
          "-n",
          "far_2",
          "--plain",
          "--to",
          B.backupYaml,
        );
        expect(over).toMatchObject({
          exitCode: 1,
          stderr: expect.stringContaining("an incremental backup far_2 exists"),
        });
        await milvusBackupJson("--config", B.backupYaml, "delete", "-n", "far_2", "--yes");
        await milvusBackupJson("--config", A.backupYaml, "copy", "-n", "far_2", "--plain", "--to", B.backupYaml);
        const backups = await list(B.backupYaml);
        expect(backups).toMatchObject([
          { name: "far_1", incremental: true },
          { name: "far_2", incremental: false },
        ]);
        expect(await restored(B.backupYaml, b, "far_2")).toEqual(expected.get("far_2"));
        for (const { backupYaml } of [A, B]) {
          for (const name of ["far_1", "far_2"])
            await milvusBackupJson("--config", backupYaml, "delete", "-n", name, "--yes");
        }
      },
      patience,
    );
  },
  patience,
);
