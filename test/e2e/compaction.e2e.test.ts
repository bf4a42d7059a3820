import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { milvusService, startService, stopService } from "../../local/index.ts";
import { parseFullMeta } from "../../src/core/format/meta-files.ts";
import { type BackupDocument, configs, milvusBackup, milvusBackupJson } from "../support/e2e/cli.ts";
import { configFolder } from "../support/e2e/config-file.ts";
import { executionFiles } from "../support/e2e/executions.ts";
import { connectTo, connectToServer, dropCollections, must, named, until } from "../support/e2e/milvus.ts";
import { deleteKeys, deletePrefix, getBytes, getText, listKeys, putObject } from "../support/e2e/objects.ts";
import { deleteRows, seedSmall } from "../support/e2e/seeds.ts";
import { readRows } from "../support/e2e/snapshot.ts";
import { startStoreProxy } from "../support/e2e/store-proxy.ts";

const config = configFolder();

describe("segments that compaction replaces while they are copied", async () => {
  /** A Milvus that compacts only when it is told, and then removes what it replaced within seconds. */
  const server = milvusService({
    name: "milvus-compacting",
    port: 19580,
    bucket: "bucket-a",
    rootPath: "compacting",
    overrides: {
      "dataCoord.compaction.enableAutoCompaction": false,
      "dataCoord.gc.interval": 3,
      "dataCoord.gc.dropTolerance": 1,
    },
  });
  const source = { collection: "compacting" };
  const b = await connectToServer("milvus-b");
  const proxy = await startStoreProxy();

  beforeAll(async () => {
    await Promise.all([
      deletePrefix("bucket-a", "compacting/"),
      deletePrefix("bucket-b", "backup/compacting/"),
      dropCollections(b, "compacting"),
    ]);
    await startService(server, { afresh: true });
    const client = await connectTo(server.address);
    await seedSmall(client, source, { segments: 6, rows: 40 });
    await deleteRows(client, source, "id in [0, 41, 82]");
  });

  afterAll(async () => {
    await stopService(server);
    await proxy.close();
    await deletePrefix("bucket-a", "compacting/");
  });

  test("the backup takes a fresh list, ends complete, and restores with every row", async () => {
    const client = await connectTo(server.address);
    const rows = await readRows(client, source);
    const { collectionID } = await must(client.describeCollection(named(source)));
    const insertLogs = `compacting/insert_log/${collectionID}/`;
    const segmentsIn = async () => new Set((await listKeys("bucket-a", insertLogs)).map((key) => key.split("/")[4]));
    const file = await config.derive("compacting", configs.a, {
      "milvus.port": server.port,
      "minio.rootPath": server.rootPath,
      "minio.port": proxy.port,
      "minio.backupPort": proxy.port,
    });
    const listed = await segmentsIn();
    const hold = proxy.holdCopies(3);

    const running = milvusBackupJson<BackupDocument>(
      "--config",
      file,
      "create",
      "--replace",
      "-c",
      "compacting",
      "-n",
      "compacting",
    );
    running.catch(() => hold.release());
    await hold.reached;
    await must(client.compact({ collection_name: source.collection }));
    await until("the end of every listed segment", 120_000, async () => {
      const there = await segmentsIn();
      return [...listed].some((segment) => there.has(segment)) ? undefined : true;
    });
    hold.release();
    const backup = await running;

    expect(listed.size).toBeGreaterThanOrEqual(6);
    expect(backup).toMatchObject({ backupName: "compacting", segments: (await segmentsIn()).size });
    expect((await executionFiles("backup", backup.executionArn).plan<{ attempt: number }>()).attempt).toBeGreaterThan(
      0,
    );
    const meta = parseFullMeta(await getText("bucket-b", "backup/compacting/meta/full_meta.json")).value;
    const inMeta = meta.collection_backups.flatMap((collection) =>
      collection.partition_backups.flatMap((partition) => partition.segment_backups.map((it) => String(it.segment_id))),
    );
    const inBackup = (await listKeys("bucket-b", "backup/compacting/binlogs/insert_log/")).map(
      (key) => key.split("/")[7],
    );
    expect(new Set(inBackup)).toEqual(new Set(inMeta));
    expect(inMeta.some((segment) => listed.has(segment))).toBe(false);

    await milvusBackupJson("--config", configs.b, "restore", "-n", "compacting", "-s", "_bak");
    expect(await readRows(b, { collection: "compacting_bak" })).toEqual(rows);
    expect(rows).toHaveLength(6 * 40 - 3);
  });
});

describe("a log that belongs to nothing beside a segment's own", async () => {
  const a = await connectToServer("milvus-a");
  const source = { collection: "orphaned" };
  const create = () => milvusBackup("--config", configs.a, "create", "-c", "orphaned", "-n", "orphaned");

  beforeAll(async () => {
    await Promise.all([dropCollections(a, "orphaned"), deletePrefix("bucket-b", "backup/orphaned/")]);
    await seedSmall(a, source, { rows: 20, loaded: false, compaction: false });
  });

  test("is reported with its segment, never backed up; without it the same command succeeds", async () => {
    const { collectionID } = await must(a.describeCollection(named(source)));
    const logs = await listKeys("bucket-a", `files/insert_log/${collectionID}/`);
    const segment = logs[0]?.split("/")[4] ?? "";
    const log = logs.find((key) => key.includes(`/${segment}/102/`)) ?? "";
    const orphan = `${log.slice(0, log.lastIndexOf("/"))}/${BigInt(log.slice(log.lastIndexOf("/") + 1)) + 1_000_000n}`;
    await putObject("bucket-a", orphan, await getBytes("bucket-a", log));

    const failed = await create();
    const left = await listKeys("bucket-b", "backup/orphaned/meta/");
    await deleteKeys("bucket-a", [orphan]);
    const repaired = await create();

    expect(failed).toMatchObject({ exitCode: 1, stdout: "" });
    expect(failed.stderr).toMatch(/InconsistentSegments/);
    expect(failed.stderr).toContain(`segment ${segment}`);
    expect(failed.stderr).toMatch(/field 102 2/);
    expect(left).toEqual([]);
    expect(repaired.exitCode).toBe(0);
    const copied = await listKeys("bucket-b", "backup/orphaned/binlogs/insert_log/");
    expect(copied).toHaveLength(logs.length);
    expect(copied.some((key) => key.endsWith(orphan.slice(orphan.lastIndexOf("/"))))).toBe(false);
  });
});
