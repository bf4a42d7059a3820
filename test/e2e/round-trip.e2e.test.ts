import { beforeAll, describe, expect, test } from "vitest";
import { parseJson } from "../../src/core/format/lossless-json.ts";
import { parseFullMeta } from "../../src/core/format/meta-files.ts";
import { logsOfBackup } from "../support/e2e/backup-keys.ts";
import {
  type BackupDocument,
  configs,
  milvusBackup,
  milvusBackupJson,
  type RestoreDocument,
} from "../support/e2e/cli.ts";
import { seedAutoIds, seedByTenant, seedEmpty, seedEveryType } from "../support/e2e/every-type.ts";
import { executionFiles } from "../support/e2e/executions.ts";
import { ensureReaders, readExport } from "../support/e2e/exported.ts";
import { connectToServer, dropCollections, ensureDatabase, must, named } from "../support/e2e/milvus.ts";
import { deletePrefix, getText, listObjects } from "../support/e2e/objects.ts";
import { flat, peekRows } from "../support/e2e/peeked.ts";
import { makeReadable, readRows, readRowsByPartition, snapshot } from "../support/e2e/snapshot.ts";
import { goldenFiles } from "../support/golden-backup.ts";
import { levelFiles } from "../support/level-files.ts";

const database = "trip";
const everyType = { collection: "trip_every_type" };
const byTenant = { collection: "trip_by_tenant" };
const autoIds = { database, collection: "trip_auto_ids" };
const empty = { database, collection: "trip_empty" };
const all = [everyType, byTenant, autoIds, empty];
const backupName = "trip";

describe("collections with every type and feature of Milvus 2.3, backed up and restored", async () => {
  const a = await connectToServer("milvus-a");
  const b = await connectToServer("milvus-b");
  let backup: BackupDocument;
  let restored: RestoreDocument;

  beforeAll(async () => {
    await Promise.all([
      dropCollections(a, "trip_"),
      dropCollections(b, "trip_"),
      deletePrefix("bucket-b", `backup/${backupName}/`),
    ]);
    await ensureDatabase(a, database);
    await Promise.all([
      seedEveryType(a, everyType),
      seedByTenant(a, byTenant),
      seedAutoIds(a, autoIds),
      seedEmpty(a, empty),
    ]);
    const collections = all.map((name) =>
      "database" in name ? `${name.database}.${name.collection}` : name.collection,
    );
    backup = await milvusBackupJson("--config", configs.a, "create", "-n", backupName, "-c", collections.join(","));
    const imported = ["--small-partitions", "import"];
    restored = await milvusBackupJson("--config", configs.b, "restore", "-n", backupName, ...imported);
  });

  test.each(all)(
    "$collection: schema, partitions, indexes, aliases, load states, properties are the same",
    async (name) => {
      const [there, here] = await Promise.all([snapshot(a, name), snapshot(b, name)]);

      expect(here).toEqual(there);
    },
  );

  test("what was compared shows every feature", async () => {
    const described = await snapshot(b, everyType);

    expect(described).toMatchObject({
      description: "every type of 2.3, é漢字",
      shards: 2,
      consistency: "Session",
      properties: { "collection.ttl.seconds": "31536000" },
      partitions: ["_default", "never_used", "p1", "p2"],
      aliases: ["trip_every_type_alias"],
      loadState: "LoadStateLoaded",
    });
    expect(described.indexes.map(({ name }) => name)).toEqual(["by_i64", "by_title", "vec_ivf"]);
    expect(await snapshot(b, autoIds)).toMatchObject({
      loadState: "LoadStateLoaded",
      partitionLoadStates: { _default: "LoadStateNotLoad", hot: "LoadStateLoaded" },
    });
    expect((await snapshot(b, byTenant)).partitions).toHaveLength(3);
  });

  test("trip_every_type: every row in its partition, bit for bit; deleted and replaced ones are not", async () => {
    const [there, here] = await Promise.all([readRowsByPartition(a, everyType), readRowsByPartition(b, everyType)]);

    expect(here).toEqual(there);
    expect(Object.fromEntries(Object.entries(here).map(([partition, rows]) => [partition, rows.length]))).toEqual({
      _default: 58,
      p1: 39,
      p2: 29,
      never_used: 0,
    });
    expect(here._default?.find(({ id }) => id === "7")).toMatchObject({ title: "upserted" });
  });

  test.each([
    { name: byTenant, vectorField: "bits", rows: 88 },
    { name: autoIds, vectorField: "vec", rows: 45 },
    { name: empty, vectorField: "vec", rows: 0 },
  ])("$name.collection: every row, keys included", async ({ name, vectorField, rows }) => {
    await Promise.all([makeReadable(a, name, vectorField), makeReadable(b, name, vectorField)]);

    const [there, here] = await Promise.all([readRowsByPartition(a, name), readRowsByPartition(b, name)]);

    expect(here).toEqual(there);
    expect(Object.values(here).flat()).toHaveLength(rows);
  });

  test.each([everyType, byTenant, autoIds, empty])(
    "peek reads every row of $collection as Milvus answers it",
    async (name) => {
      const collection = "database" in name ? `${name.database}.${name.collection}` : name.collection;

      const peeked = await peekRows("-n", backupName, "-c", collection, "--limit", "1000");

      const answered = await readRowsByPartition(b, name);
      expect(peeked).toHaveLength(Object.values(answered).flat().length);
      for (const [partition, rows] of Object.entries(answered)) {
        const here = peeked.filter((row) => partition === "*" || row.partition === partition);
        expect(byText(here.map(({ values }) => values))).toEqual(byText(rows.map(flat)));
      }
    },
  );

  test("exported in every format, DuckDB, pyarrow and pandas read what Milvus answers, in every type", async () => {
    const readers = { parquet: ["duckdb", "pyarrow", "pandas"], arrow: ["pyarrow"], jsonl: ["duckdb"] } as const;
    await Promise.all([ensureReaders(), deletePrefix("bucket-b", "exports/trip-")]);
    await Promise.all([makeReadable(b, byTenant, "bits"), makeReadable(b, autoIds, "vec")]);
    const answered = new Map<string, Awaited<ReturnType<typeof readRowsByPartition>>>();
    for (const name of [everyType, byTenant, autoIds]) {
      answered.set(
        `${"database" in name ? name.database : "default"}.${name.collection}`,
        await readRowsByPartition(b, name),
      );
    }

    await Promise.all(
      (["parquet", "arrow", "jsonl"] as const).map(async (format) => {
        const to = `s3://bucket-b/exports/trip-${format}`;
        const exported = await milvusBackupJson(
          ...["--config", configs.a, "export"],
          ...["-n", backupName, "--to", to, "--format", format],
        );

        expect(exported).toMatchObject({
          collectionCount: 4,
          rows: 259,
          leftOut: 7,
          destination: `${to}/`,
          warnings: [],
        });
        const found = await readExport(`exports/trip-${format}`, readers[format]);
        for (const reader of readers[format]) {
          for (const [collection, partitions] of answered) {
            const here = found.filter((row) => row.reader === reader && row.collection === collection);
            expect(here, `${format} by ${reader}`).toHaveLength(Object.values(partitions).flat().length);
            for (const [partition, rows] of Object.entries(partitions)) {
              const inIt = here.filter((row) => partition === "*" || row.partition === partition);
              expect(byText(inIt.map(({ values }) => values)), `${format} by ${reader}`).toEqual(
                byText(rows.map(flat)),
              );
            }
          }
        }
      }),
    );
  });

  describe("once more, with the rows of small partitions inserted", () => {
    const inserted = ({ collection }: { readonly collection: string }) => ({ collection: `${collection}_rows` });
    let document: RestoreDocument;

    beforeAll(async () => {
      const some = ["-c", [everyType, byTenant].map(({ collection }) => collection).join(",")];
      const args = ["restore", "-n", backupName, ...some, "-s", "_rows"];
      document = await milvusBackupJson("--config", configs.b, ...args);
    });

    test("the result tells how many", () => {
      expect(document.collections).toMatchObject([
        { to: "default.trip_by_tenant_rows", rows: 88, imported: 88, inserted: { partitions: 3, rows: 88 } },
        { to: "default.trip_every_type_rows", rows: 126, imported: 126, inserted: { partitions: 3, rows: 126 } },
      ]);
    });

    test.each([
      { name: everyType, vectorField: "vec" },
      { name: byTenant, vectorField: "bits" },
    ])("$name.collection: every row in its partition, bit for bit", async ({ name, vectorField }) => {
      await Promise.all([makeReadable(a, name, vectorField), makeReadable(b, inserted(name), vectorField)]);

      const [there, here] = await Promise.all([readRowsByPartition(a, name), readRowsByPartition(b, inserted(name))]);

      expect(here).toEqual(there);
    });

    test("they are sealed: a backup without a flush has all of them, byte for byte as they were", async () => {
      const again = `${backupName}_rows`;
      const collections = [everyType, byTenant].map((name) => inserted(name).collection);
      await deletePrefix("bucket-b", `backup/${again}/`);
      const unflushed = ["create", "--strategy", "skip_flush", "-n", again, "-c", collections.join(",")];
      await milvusBackupJson("--config", configs.b, ...unflushed);

      for (const name of [everyType, byTenant]) {
        const [before, after] = await Promise.all([
          peekRows("-n", backupName, "-c", name.collection, "--limit", "1000"),
          peekRows("-n", again, "-c", inserted(name).collection, "--limit", "1000"),
        ]);
        expect(byText(after.map(({ values }) => values))).toEqual(byText(before.map(({ values }) => values)));
      }
    });
  });

  test("the summaries add up", async () => {
    const objects = await listObjects("bucket-b", `backup/${backupName}/binlogs/`);

    expect(backup).toMatchObject({
      objects: objects.length,
      bytes: objects.reduce((sum, { size }) => sum + size, 0),
      warnings: [],
    });
    expect(restored.collections.map(({ to, rows }) => [to, rows])).toEqual([
      ["default.trip_by_tenant", 88],
      ["default.trip_every_type", 126],
      ["trip.trip_auto_ids", 45],
      ["trip.trip_empty", 0],
    ]);
    expect(restored.warnings).toEqual([]);
  });

  test("what became of the rows is told, and how many each import had to bring was known", async () => {
    const { collections } = await executionFiles("restore", restored.executionArn).plan();
    const imports = collections.flatMap((collection) => collection.imports);

    for (const { rows, inBackup, leftOut, imported } of restored.collections) {
      expect(imported).toBe(rows);
      expect(inBackup - leftOut).toBe(imported);
    }
    // sealed by the flush of the backup or not: the logs tell that their rows are not later
    expect(imports.filter(({ minimumRows }) => minimumRows === "0")).toEqual([]);
    expect(imports.filter(({ rows, minimumRows, hasDeletes }) => !hasDeletes && rows !== minimumRows)).toEqual([]);
  });

  test("rows that come after the backup are not in it, nor in the restored collection", async () => {
    await must(a.insert({ ...named(autoIds), data: [{ text: "later", vec: [1, 2, 3, 4] }] }));

    const texts = Object.values(await readRowsByPartition(b, autoIds))
      .flat()
      .map(({ text }) => text);

    expect(texts).toContain("hot 0");
    expect(texts).not.toContain("later");
  });

  test("diff names what came and what went since", async () => {
    const [gone] = await readRows(b, autoIds);
    await must(a.deleteEntities({ ...named(autoIds), expr: `id in [${gone?.id}]` }));
    await deletePrefix("bucket-b", `backup/${backupName}_later/`);
    await milvusBackupJson("--config", configs.a, "create", "-n", `${backupName}_later`, "-c", "trip.trip_auto_ids");

    const { stdout } = await milvusBackup(
      ...[
        "--config",
        configs.a,
        "--json",
        "diff",
        "-n",
        backupName,
        "-n",
        `${backupName}_later`,
        "-c",
        "trip.trip_auto_ids",
      ],
    );

    // One row was inserted after the first backup, above.
    expect(JSON.parse(stdout)).toMatchObject({
      total: { added: 1, changed: 0, removed: 1, same: 44 },
      keysComplete: true,
    });
    expect(parseJson(stdout, "diff")).toMatchObject({ keys: { removed: [BigInt(String(gone?.id))] } });
  });

  describe("the metas it wrote", () => {
    const key = (file: string) => `backup/${backupName}/meta/${file}.json`;

    test("have the keys that the golden backup has, record for record", async () => {
      const ours = keysByRecord(JSON.parse(await getText("bucket-b", key("full_meta"))));
      const golden = keysByRecord(JSON.parse(goldenFiles.full_meta));

      // The instant of a collection: the format has the key, and milvus-backup leaves it out on Milvus 2.3.
      const collection = golden[".collection_backups[]"];
      expect(collection?.ever.has("backup_timestamp")).toBe(false);
      collection?.always.add("backup_timestamp");
      collection?.ever.add("backup_timestamp");
      expect(Object.keys(ours).sort()).toEqual(Object.keys(golden).sort());
      for (const [record, keys] of Object.entries(golden)) {
        expect({ record, always: ours[record]?.always }).toEqual({ record, always: keys.always });
        // What we know and milvus-backup 0.5.16 does not write would be a key of our own making.
        expect({ record, other: [...(ours[record]?.ever ?? [])].filter((it) => !keys.ever.has(it)) }).toEqual({
          record,
          other: [],
        });
      }
    });

    test("are consistent: the level files hold the same records as the full meta", async () => {
      const { value } = parseFullMeta(await getText("bucket-b", key("full_meta")));

      for (const [file, text] of Object.entries(levelFiles(value))) {
        expect(await getText("bucket-b", key(file))).toBe(text);
      }
    });

    test("name every object that was copied, with its size, by its key in Milvus's bucket", async () => {
      const { inMeta, there } = await logsOfBackup(backupName);

      expect(inMeta).toEqual(there);
      expect(inMeta).toHaveLength(backup.objects);
    });
  });
});

/** For each kind of record in a meta: the keys that all of its records have, and those that at least one has. */
function keysByRecord(meta: unknown): Record<string, { always: Set<string>; ever: Set<string> }> {
  const found: Record<string, { always: Set<string>; ever: Set<string> }> = {};
  const visit = (value: unknown, path: string): void => {
    if (Array.isArray(value)) {
      for (const item of value) visit(item, `${path}[]`);
    } else if (typeof value === "object" && value !== null && !path.endsWith(".params")) {
      const keys = new Set(Object.keys(value));
      const known = found[path];
      found[path] = {
        always: new Set([...keys].filter((key) => known === undefined || known.always.has(key))),
        ever: new Set([...keys, ...(known?.ever ?? [])]),
      };
      for (const [key, child] of Object.entries(value)) visit(child, `${path}.${key}`);
    }
  };
  visit(meta, "");
  return found;
}

/** In an order that does not depend on where rows come from. */
function byText(rows: readonly Record<string, unknown>[]): Record<string, unknown>[] {
  const text = (row: Record<string, unknown>) => JSON.stringify(Object.entries(row).sort());
  return rows.toSorted((a, b) => (text(a) < text(b) ? -1 : 1));
}
