import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DocumentOf } from "../../cli/documents/index.ts";
import { milvusService, stackInfo, startService, stopService } from "../../local/index.ts";
import { configs, milvusBackup, milvusBackupJson } from "../support/e2e/cli.ts";
import { configFolder } from "../support/e2e/config-file.ts";
import { collectionNames, connectTo, connectToServer, dropCollections, until } from "../support/e2e/milvus.ts";
import { deletePrefix, getBytes, listKeys, putObject } from "../support/e2e/objects.ts";
import { seedSmall } from "../support/e2e/seeds.ts";

const backup = "drill_good";
const config = configFolder();

/** A Milvus that has room for one collection, and no memory for any index. */
const small = milvusService({
  name: "milvus-small",
  port: 19620,
  bucket: "bucket-b",
  rootPath: "small-target",
  overrides: {
    "quotaAndLimits.limits.maxCollectionNumPerDB": 1,
    "queryCoord.overloadedMemoryThresholdPercentage": 0.1,
    // It tries for ten minutes before it gives a load up.
    "queryCoord.loadTimeoutSeconds": 5,
  },
});

describe("drills", async () => {
  const [a, b] = [await connectToServer("milvus-a"), await connectToServer("milvus-b")];

  beforeAll(async () => {
    await Promise.all([
      dropCollections(a, "drill_"),
      dropCollections(b, "drill_"),
      deletePrefix("bucket-b", "backup/drill_"),
    ]);
    await Promise.all([
      startService(small, { afresh: true }),
      seedSmall(a, { collection: "drill_coll" }, { segments: 3, rows: 40, alias: "drill_alias" }),
      seedSmall(a, { collection: "drill_other" }, { rows: 5, loaded: false }),
    ]);
    await milvusBackupJson("--config", configs.a, "create", "-c", "drill_coll,drill_other", "-n", backup);
  });

  afterAll(async () => {
    await stopService(small);
    await deletePrefix("bucket-b", "small-target/");
  });

  /** Everything of a drill that is left anywhere. */
  async function left(server = b): Promise<string[]> {
    const { outputs } = await stackInfo();
    const work = String(outputs.WorkBucketName);
    return [
      ...(await collectionNames(server, "drill_")),
      ...(await listKeys("bucket-b", "milvus-backup-staging/")).filter((key) => key.includes("drill_")),
      ...(await listKeys(work, "drills/")),
      ...(await listKeys(work, "readers/")).filter((key) => key.includes(backup)),
    ];
  }

  const told = () => milvusBackupJson<DocumentOf<"backup">>("--config", configs.b, "get", "-n", backup);
  const drilled = async () => {
    const document = await told();
    return "drilled" in document ? document.drilled : undefined;
  };

  test("a good one tells RTO, RPO and recall, stands beside the backup, and leaves nothing", async () => {
    const document = await milvusBackupJson<DocumentOf<"drill">>("--config", configs.b, "drill", "-n", backup);

    expect(document).toMatchObject({ outcome: "drilled", backupName: backup, environment: "milvus-b", warnings: [] });
    expect(document.rtoSeconds).toBeGreaterThan(1);
    expect(document.rpoSeconds).toBeGreaterThan(0);
    expect(document.collections.map(({ from, rows, countedRows }) => [from, rows, countedRows])).toEqual([
      ["default.drill_coll", 120, 120],
      ["default.drill_other", 5, 5],
    ]);
    for (const { comparedRows, fields, searches } of document.collections) {
      expect(comparedRows).toBeGreaterThanOrEqual(5);
      expect(fields).toEqual(["id", "title", "vec", "$meta"]);
      expect(searches).toMatchObject([{ field: "vec", recall: 1 }]);
      expect(searches[0]?.foundCount).toBe(searches[0]?.queryCount);
    }
    expect(await left()).toEqual([]);
    expect(await drilled()).toMatchObject({ last: { outcome: "passed", rtoSeconds: document.rtoSeconds } });
  });

  test("one of a damaged backup fails with the reason, keeps the last good one, and leaves nothing", async () => {
    const [key = ""] = (await listKeys("bucket-b", `backup/${backup}/binlogs/insert_log/`)).filter((it) =>
      it.includes("/102/"),
    );
    const whole = await getBytes("bucket-b", key);
    const damaged = Buffer.from(whole);
    damaged.writeUInt8(damaged.readUInt8(damaged.length - 10) ^ 1, damaged.length - 10);
    await putObject("bucket-b", key, damaged);

    const run = await milvusBackup("--config", configs.b, "drill", "-n", backup);
    await putObject("bucket-b", key, whole);

    expect(run).toMatchObject({ exitCode: 1, stdout: "" });
    expect(run.stderr).toMatch(/Error \(CorruptBackup\)/);
    expect(run.stderr).toContain(key);
    expect(await left()).toEqual([]);
    expect(await drilled()).toMatchObject({
      last: { outcome: "failed", reason: expect.stringContaining("CorruptBackup") },
      lastPassed: { outcome: "passed" },
    });
  });

  test("one into a Milvus without room, or without memory, says so in its words, and leaves nothing", async () => {
    const into = await config.derive("drill-small", configs.b, {
      "milvus.port": small.port,
      "minio.rootPath": small.rootPath,
    });
    const drill = (...options: readonly string[]) =>
      milvusBackup("--config", configs.a, "drill", "--replace", "-n", backup, "--into", into, ...options);

    const full = await drill();
    expect(full).toMatchObject({ exitCode: 1, stdout: "" });
    expect(full.stderr).toMatch(/collection/);
    const server = await connectTo(small.address);
    expect(await left(server)).toEqual([]);

    const heavy = await drill("-c", "drill_coll");
    expect(heavy).toMatchObject({ exitCode: 1, stdout: "" });
    expect(heavy.stderr).toMatch(/MilvusFailed.*load segment failed, OOM if load/);
    expect(await left(server)).toEqual([]);
  });

  test("one that is stopped in the middle is removed by --clean, with its restore", async () => {
    const { executionName } = await milvusBackupJson<DocumentOf<"execution">>(
      ...["--config", configs.b, "drill", "-n", backup, "--detach"],
    );
    await until("the drill's first collection", 60_000, async () => (await collectionNames(b, "drill_"))[0]);
    await milvusBackup("stop", executionName);

    await milvusBackupJson("--config", configs.b, "drill", "--clean");
    // What had to be ended is looked at once more.
    await milvusBackupJson("--config", configs.b, "drill", "--clean");

    expect(await left()).toEqual([]);
  });
});
