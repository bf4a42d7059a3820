import { beforeAll, describe, expect, test } from "vitest";
import { configs, milvusBackup } from "../support/e2e/cli.ts";
import { connectToServer, dropCollections, must, named } from "../support/e2e/milvus.ts";
import { createNight, type IncrementalDocument, listNights, live, nightly, restored } from "../support/e2e/nights.ts";
import { deletePrefix, listKeys } from "../support/e2e/objects.ts";
import { seedSmall } from "../support/e2e/seeds.ts";
import { type Row, readRows } from "../support/e2e/snapshot.ts";

/** Long sequences of writes, backups, deletions and sweeps: every backup that is listed restores to what the collection was then. */
const patience = 900_000;

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
      nights.push(await createNight(configs.a, name));
      expected.set(name, await readRows(a, nightly));
      const shared = [...(await stored())].filter((key) => key.includes("/insert_log/") && !before.has(key));
      appeared.push(shared.length + (await listKeys("bucket-b", `backup/${name}/binlogs/`)).length);
    };

    beforeAll(async () => {
      await Promise.all([dropCollections(a, "nightly"), dropCollections(b, "nightly")]);
      for (const prefix of ["backup/night", "backup/milvus-backup-segments/"]) await deletePrefix("bucket-b", prefix);
      await seedSmall(a, nightly, { segments: 4, rows: 100 });
      for (const day of [1, 2, 3]) {
        await night(`night_${day}`);
        if (day === 1) await night("night_1b");
        await live(a, day);
        if (day === 2) await must(a.compact(named(nightly)));
      }
    }, patience);

    test("store what is new only, and say so", async () => {
      const [first] = nights;
      expect(first?.newObjects).toBe(first?.objects);
      // Milvus may compact in between, whenever it likes: what is new is what was not there, and the deletes
      expect(nights.map(({ newObjects }) => newObjects)).toEqual(appeared);
      const text = await milvusBackup("--config", configs.a, "get", "-n", "night_2");
      expect(text.stdout).toMatch(/incremental +\d+ objects? of .* were new; deleting it would free/);
      const backups = await listNights(configs.a);
      expect(backups.map(({ backupName }) => backupName)).toEqual(["night_1", "night_1b", "night_2", "night_3"]);
      expect(backups.every(({ incremental }) => incremental)).toBe(true);
      for (const { ownBytes = 0, bytes } of backups) expect(ownBytes).toBeLessThanOrEqual(bytes);
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
        expect(await listNights(configs.a)).toEqual([]);
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
