import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type BackupDocument,
  configs,
  milvusBackup,
  milvusBackupJson,
  type RestoreDocument,
} from "../support/e2e/cli.ts";
import { configFolder } from "../support/e2e/config-file.ts";
import { executionFiles, executions, finished } from "../support/e2e/executions.ts";
import { killFunction } from "../support/e2e/lambda-processes.ts";
import {
  collectionNames,
  connectToServer,
  dropCollections,
  load,
  must,
  named,
  partitionId,
  until,
} from "../support/e2e/milvus.ts";
import { deletePrefix, listKeys } from "../support/e2e/objects.ts";
import { deleteRows, insertSegment, seedSmall, smallRow } from "../support/e2e/seeds.ts";
import { countRows, type Row, readRows, readRowsByPartition } from "../support/e2e/snapshot.ts";
import { startStoreProxy } from "../support/e2e/store-proxy.ts";

const config = configFolder();
const source = { collection: "resume" };

describe("what is interrupted goes on with the same command", async () => {
  const a = await connectToServer("milvus-a");
  const b = await connectToServer("milvus-b");
  const proxy = await startStoreProxy();
  const passed = 10;
  /** Small partitions too. */
  const imported = ["--config", configs.b, "restore", "--small-partitions", "import"];
  let file = "";
  let rows: Row[];

  beforeAll(async () => {
    await Promise.all([dropCollections(a, "resume"), dropCollections(b, "resume")]);
    for (const name of ["resume_killed", "resume_stopped"]) await deletePrefix("bucket-b", `backup/${name}/`);
    await seedSmall(a, source, { segments: 4, rows: 50, loaded: false, compaction: false });
    for (const partition of ["p1", "p2", "p3"]) {
      await must(a.createPartition({ ...named(source), partition_name: partition }));
      await insertSegment(a, source, [smallRow(1_000 + Number(partition.slice(1)))], partition);
    }
    await must(a.loadCollectionSync({ collection_name: source.collection }));
    await deleteRows(a, source, "id in [1, 2, 3]");
    rows = await readRows(a, source);
    file = await config.derive("resume", configs.a, { "minio.port": proxy.port, "minio.backupPort": proxy.port });
  });

  afterAll(() => proxy.close());

  /** Expects that a backup was finished on top of what an interrupted run had copied. */
  async function expectResumed(backup: BackupDocument): Promise<void> {
    const receipts = await executionFiles("backup", backup.executionArn).receipts();
    const skipped = receipts.reduce((sum, { skippedObjects }) => sum + skippedObjects, 0);
    expect(skipped).toBeGreaterThanOrEqual(passed);
    expect(proxy.copies()).toBe(backup.objects - skipped);
    const keys = await listKeys("bucket-b", `backup/${backup.backupName}/binlogs/`);
    expect(keys).toHaveLength(backup.objects);
  }

  test("a backup whose copying Lambda was killed: what lies there is not copied again", async () => {
    const create = ["--config", file, "create", "--replace", "-c", "resume", "-n", "resume_killed"];
    const hold = proxy.holdCopies(passed);
    const running = milvusBackup(...create);
    await hold.reached;

    const killed = await killFunction("copy-segments", proxy.waiting());
    hold.release();
    const run = await running;
    proxy.holdCopies(Number.POSITIVE_INFINITY);
    const again = await milvusBackupJson<BackupDocument>(...create);

    expect(killed).toBeGreaterThan(0);
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toMatch(/a batch failed without saying why.*the same command goes on from there/);
    await expectResumed(again);
  });

  test("a backup that was stopped copies nothing more, and goes on when it is asked to", async () => {
    const create = ["--config", file, "create", "--replace", "-c", "resume", "-n", "resume_stopped"];
    const hold = proxy.holdCopies(passed);
    const { executionArn } = await milvusBackupJson<BackupDocument>(...create, "--detach");
    await hold.reached;

    const stop = await milvusBackup("stop", executionArn.slice(executionArn.lastIndexOf(":") + 1));
    hold.release();
    const over = await finished(executionArn);
    const left = await listKeys("bucket-b", "backup/resume_stopped/meta/");
    proxy.holdCopies(Number.POSITIVE_INFINITY);
    const again = await milvusBackupJson<BackupDocument>(...create);

    expect(stop.exitCode).toBe(0);
    expect(over.status).toBe("aborted");
    expect(left).toEqual([]);
    await expectResumed(again);
  });

  test("a restore that was stopped while Milvus imported imports nothing twice", async () => {
    const restore = [...imported, "-n", "resume_killed", "-s", "_stopped"];
    const { executionArn } = await milvusBackupJson<RestoreDocument>(...restore, "--detach");
    const working = await firstImport("resume_stopped_restoring_");

    await executions.stop(executionArn, "a test");
    const again = await milvusBackupJson<RestoreDocument>(...restore);

    const { totals, restoreId } = await executionFiles("restore", again.executionArn).plan();
    expect(working).toBe(`default.resume_stopped_restoring_${restoreId}`);
    const target = { collection: "resume_stopped" };
    expect(await importsOf(`default.${target.collection}`)).toHaveLength(totals.imports);
    expect(again.collections).toMatchObject([{ rows: rows.length }]);
    // Milvus's own count has a row for each time it was imported; a query shows a key once.
    const { data } = await must(b.getCollectionStatistics(named(target)));
    expect(data.row_count).toBe(String(rows.length));
    expect(await readRows(b, target)).toEqual(rows);
  });

  test("a restore whose unfinished collection was dropped by hand imports everything again", async () => {
    const restore = [...imported, "-n", "resume_killed", "-s", "_dropped"];
    const { executionArn } = await milvusBackupJson<RestoreDocument>(...restore, "--detach");
    const working = await firstImport("resume_dropped_restoring_");
    await executions.stop(executionArn, "a test");
    // Not before they are through: Milvus stalls for minutes where a collection vanishes under its imports.
    await until("the end of the imports", 60_000, async () =>
      (await importsOf(working)).every(({ state }) => state === "ImportCompleted") ? true : undefined,
    );
    await dropCollections(b, "resume_dropped_restoring_");

    const again = await milvusBackup(...restore);

    expect(again.exitCode).toBe(0);
    expect(await readRows(b, { collection: "resume_dropped" })).toEqual(rows);
  });

  test("a restore whose function was killed while it inserted rows makes the collection anew, and has none twice", async () => {
    const target = { collection: "resume_inserted" };
    const last = await partitionId(a, source, "p3");
    const far = await config.derive("resume_b", configs.b, { "minio.backupPort": proxy.port });
    const hold = proxy.holdReads((path) => path.includes("/insert_log/") && path.includes(`/${last}/`));

    const restore = ["--config", far, "restore", "--replace", "-n", "resume_killed", "-s", "_inserted"];
    const running = milvusBackup(...restore);
    await hold.reached;
    // The partitions before it are read, and inserted meanwhile.
    const [name = ""] = await collectionNames(b, "resume_inserted_restoring_");
    const working = { collection: name.slice(name.indexOf(".") + 1) };
    await load(b, working);
    const inserted = await until("the first rows", 60_000, async () => (await countRows(b, working)) || undefined);
    const before = await must(b.describeCollection(named(working)));
    const killed = await killFunction("import-segments", proxy.waiting());
    hold.release();
    const run = await running;
    const again = await milvusBackupJson<RestoreDocument>(...restore);

    expect(inserted).toBeLessThan(rows.length);
    expect(killed).toBe(1);
    expect(run.exitCode).toBe(1);
    expect(again.collections).toMatchObject([{ rows: rows.length, inserted: { partitions: 4, rows: rows.length } }]);
    const after = await must(b.describeCollection(named(target)));
    expect(after.collectionID).not.toBe(before.collectionID);
    // Counts a row for each time that it was inserted, flushed or not.
    expect(await countRows(b, target)).toBe(rows.length);
    expect(await readRowsByPartition(b, target)).toEqual(await readRowsByPartition(a, source));
  });

  /** Waits until Milvus B imports into a collection whose name begins so; answers its whole name. */
  async function firstImport(beginning: string): Promise<string> {
    return until("the first import", 60_000, async () => {
      const [name] = await collectionNames(b, beginning);
      return name !== undefined && (await importsOf(name)).length > 0 ? name : undefined;
    });
  }

  async function importsOf(name: string) {
    const { tasks } = await must(b.listImportTasks({ collection_name: name.slice(name.indexOf(".") + 1), limit: 0 }));
    return tasks;
  }
});
