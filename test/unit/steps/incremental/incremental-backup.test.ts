import { beforeEach, describe, expect, it, test } from "vitest";
import { claimTimes } from "../../../../src/core/format/claim.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { outlineBackup } from "../../../../src/steps/catalog/get-backup.ts";
import { listBackups } from "../../../../src/steps/catalog/list-backups.ts";
import { pruneBackups } from "../../../../src/steps/events/prune-backups.ts";
import { altered } from "../../../support/altered.ts";
import { FaultInjector } from "../../../support/fault-injector.ts";
import {
  backUp,
  deployment,
  incrementalWorld,
  lacking,
  layoutOf,
  remove,
  sharedOf,
  sweep,
} from "../../../support/incremental-world.ts";
import type { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";
import { addBookSegment, books, compactBooks } from "../../../support/seed-shop.ts";

let world: PipelineWorld;
beforeEach(() => {
  world = incrementalWorld();
});

const bucket = () => world.bucket("bucket-b");
const insertLogs = () => bucket().keys(sharedOf(world).insertLogs);

/** Restores a backup under names of its own and answers the rows of `books`. */
async function rowsRestored(name: string): Promise<string | undefined> {
  const input = { environment: "dr", backupName: name, suffix: `_${name}` };
  const result = await runRestore(world.context(), input, executionOf(`restore-${name}`));
  if (!("collections" in result) || typeof result.collections === "number") throw new Error("nothing was restored");
  return result.collections.find(({ from }) => from === "default.books")?.rows;
}

describe("an incremental backup", () => {
  it("stores its segments where others share them, and its metas where milvus-backup does not look", async () => {
    await backUp(world, "night_1");

    const { root, meta } = layoutOf(world, "night_1");
    expect(bucket().keys(`${root}meta/`)).toEqual([]);
    expect(bucket().keys(`${root}binlogs/insert_log/`)).toEqual([]);
    expect(bucket().keys(`${root}binlogs/delta_log/`)).toHaveLength(1);
    expect(bucket().read(meta.full_meta)).toBeDefined();
    expect(insertLogs()).toHaveLength(12);
    expect(insertLogs()[0]).toMatch(/insert_log\/470000000000000100\/\d+\/(\d+)\/\1\/0\//);
  });

  it("copies nothing of an unchanged collection but its deletes, and says so", async () => {
    await backUp(world, "night_1");
    const [copies, listings] = [bucket().calls.length, world.bucket("bucket-a").calls.length];

    const second = await backUp(world, "night_2");

    expect(second).toMatchObject({ objects: 13, newObjects: 1 });
    const copied = bucket()
      .calls.slice(copies)
      .filter((call) => call.startsWith("copyFrom"));
    expect(copied).toEqual([expect.stringContaining("delta_log")]);
    // a listing a partition, none a segment; and one of a collection, whether rows lie there at all
    const listed = world
      .bucket("bucket-a")
      .calls.slice(listings)
      .filter((call) => call.includes("insert_log"));
    expect(listed.filter((call) => /insert_log\/\d+\/\d+\//.test(call))).toHaveLength(2);
    expect(listed).toHaveLength(3);
  });

  it("copies what is new, and compaction's segments", async () => {
    await backUp(world, "night_1");
    addBookSegment(world, "470000000000000399");
    expect(await backUp(world, "night_2")).toMatchObject({ objects: 17, newObjects: 5 });
    compactBooks(world);
    expect(await backUp(world, "night_3")).toMatchObject({ objects: 8, newObjects: 8 });

    expect(await lacking(world)).toEqual([]);
    expect(await rowsRestored("night_1")).toBe("32");
    expect(await rowsRestored("night_2")).toBe("36");
    expect(await rowsRestored("night_3")).toBe("32");
  });

  it.each(["2.3.5", "2.5.4"])("restores on %s, staged or in place", async (version) => {
    world = incrementalWorld(version);
    await backUp(world, "night_1");
    await backUp(world, "night_2");

    expect(await rowsRestored("night_2")).toBe("32");
  });

  it("stages a collection beside whose logs lie some of another backup", async () => {
    await backUp(world, "night_1");
    const [first = ""] = insertLogs();
    bucket().seed(`${first}9`, "a log that only another backup names");

    expect(await rowsRestored("night_1")).toBe("32");
    const staged = bucket().calls.filter((call) => call.startsWith("copyFrom backup/milvus-backup-segments/"));
    expect(staged).toHaveLength(12);
  });

  it("is refused with meta_only, and under the name of a plain one", async () => {
    const input = { environment: "prod", backupName: "plain" };
    await runBackup(world.context(), input, executionOf("plain"));

    await expect(backUp(world, "plain", { run: "again" })).rejects.toMatchObject({ name: "BackupExists" });
    const metaOnly = { ...input, backupName: "m", incremental: true, strategy: "meta_only" } as const;
    await expect(runBackup(world.context(), metaOnly, executionOf("m"))).rejects.toMatchObject({
      name: "InvalidInput",
      message: expect.stringContaining("meta_only"),
    });
    const reserved = { ...input, backupName: "milvus-backup-segments" };
    await expect(runBackup(world.context(), reserved, executionOf("r"))).rejects.toThrow(/choose another name/);
  });

  it("takes its name from a plain one too", async () => {
    await backUp(world, "night_1");
    const plain = { environment: "prod", backupName: "night_1" };

    await expect(runBackup(world.context(), plain, executionOf("plain"))).rejects.toMatchObject({
      name: "BackupExists",
    });
  });

  it("does not meet another Milvus with the same IDs under one backup root", async () => {
    await backUp(world, "night_1");
    const before = insertLogs().map((key) => bucket().read(key));
    const other = world.environment("prod");
    world.registerAnew("prod", { storage: { ...other.storage, rootPath: "other" } });
    const segment = { collectionId: books.id, partitionId: books.defaultPartition, rows: 10n };
    for (const [index, id] of books.segments.entries()) {
      const partitionId = index === 0 ? books.defaultPartition : books.novels;
      world.seedSegment("prod", { ...segment, id, partitionId, rows: 7n });
    }
    await backUp(world, "other_1");
    world.registerAnew("prod", { storage: other.storage });

    expect(insertLogs().map((key) => bucket().read(key))).toEqual(before);
    expect(await lacking(world)).toEqual([]);
  });

  it("is refused where the shared place is said to be another Milvus's", async () => {
    const { record } = sharedOf(world);
    bucket().seed(record, JSON.stringify({ version: 1, store: "aws", bucket: "elsewhere", rootPath: "files" }));

    await expect(backUp(world, "night_1")).rejects.toMatchObject({
      name: "InvalidInput",
      message: expect.stringContaining("elsewhere/files"),
    });
  });

  it("shows what is new and what deleting it would free", async () => {
    await backUp(world, "night_1");
    addBookSegment(world, "470000000000000399");
    await backUp(world, "night_2");
    const added = bucket()
      .keys(sharedOf(world).insertLogs)
      .filter((key) => key.includes("470000000000000399"));
    const sizes = added.map((key) => bucket().bytes(key)?.length ?? 0);
    const deletes = bucket().bytes(bucket().keys("backup/night_2/binlogs/")[0] ?? "")?.length ?? 0;
    const ownBytes = sizes.reduce((sum, size) => sum + size, deletes);

    expect(await listBackups(bucket(), "backup")).toMatchObject([
      { name: "night_1", incremental: true, ownBytes: deletes },
      { name: "night_2", incremental: true, ownBytes },
    ]);
    expect(await outlineBackup(bucket(), "backup", "night_2")).toMatchObject({
      incremental: { newObjects: 5, ownBytes },
    });
  });
});

describe("what is stored under a segment's key", () => {
  const alter = (key: string) => bucket().seed(key, altered(bucket(), key));

  it("is never overwritten where a backup names it: an error has both sums", async () => {
    await backUp(world, "night_1");
    const [key = ""] = insertLogs();
    alter(key);
    const there = bucket().read(key);

    await expect(backUp(world, "night_2")).rejects.toMatchObject({
      name: "InconsistentSegments",
      message: expect.stringMatching(/night_1.*ETag [0-9a-f]{32}.*ETag [0-9a-f]{32}/),
    });
    expect(bucket().read(key)).toBe(there);
  });

  it("is replaced where no backup names it", async () => {
    await backUp(world, "night_1");
    const [key = ""] = insertLogs();
    const right = bucket().read(key);
    bucket().remove(layoutOf(world, "night_1").meta.full_meta);
    alter(key);

    await backUp(world, "night_2");

    expect(bucket().read(key)).toBe(right);
    expect(await lacking(world)).toEqual([]);
  });

  it("is named before the target is touched where it is gone or altered", async () => {
    await backUp(world, "night_1");
    const [key = "", other = ""] = insertLogs();
    const right = bucket().bytes(key) ?? "";
    bucket().remove(key);
    await expect(rowsRestored("night_1")).rejects.toMatchObject({ name: "CorruptBackup" });
    bucket().seed(key, right);
    alter(other);

    const failed = runRestore(
      world.context(),
      { environment: "dr", backupName: "night_1", verify: "content" },
      executionOf("verified"),
    );

    await expect(failed).rejects.toMatchObject({ name: "CorruptBackup", message: expect.stringContaining(other) });
    expect(world.milvus("dr").calls.filter((call) => call.startsWith("createCollection"))).toEqual([]);
  });
});

describe("a sweep", () => {
  it("frees what only a deleted backup named, and nothing else", async () => {
    await backUp(world, "night_1");
    addBookSegment(world, "470000000000000399");
    await backUp(world, "night_2");
    compactBooks(world);
    await backUp(world, "night_3");

    expect(await remove(world, "night_2")).toMatchObject([{ segments: 1, objects: 4 }]);
    expect(await rowsRestored("night_1")).toBe("32");
    expect(await remove(world, "night_1")).toMatchObject([{ segments: 3, objects: 12 }]);
    expect(await rowsRestored("night_3")).toBe("32");
    expect(await remove(world, "night_3")).toMatchObject([{ segments: 2, objects: 8 }]);
    expect(bucket().keys("backup/")).toEqual([]);
  });

  it("says what it would free, and frees it", async () => {
    await backUp(world, "night_1");
    bucket().seed(`${sharedOf(world).insertLogs}1/2/3/3/100/4`, "left over");
    expect(await sweep(world, { dryRun: true })).toMatchObject([{ segments: 1, objects: 1, bytes: 9 }]);
    expect(await sweep(world, { dryRun: true })).toMatchObject([{ objects: 1 }]);
    expect(await sweep(world)).toMatchObject([{ segments: 1, objects: 1, bytes: 9 }]);
    expect(await sweep(world)).toMatchObject([{ objects: 0 }]);
    expect(await lacking(world)).toEqual([]);
  });

  it("ends when its time is over, wherever that is, and the next sweep goes on", async () => {
    await backUp(world, "night_1");
    const left = `${sharedOf(world).insertLogs}1/2/3/3/100/4`;
    for (let looksInTime = 0; ; looksInTime += 1) {
      bucket().seed(left, "left over");
      const [swept] = await sweep(world, { looksInTime });
      expect(await lacking(world)).toEqual([]);
      if (swept?.skipped === undefined) break;
      expect(swept.skipped).toMatch(/no time .*next sweep/);
      expect(bucket().keys(left)).toEqual([left]);
      expect(await sweep(world)).toMatchObject([{ objects: 1 }]);
    }
    expect(bucket().keys(left)).toEqual([]);
  });

  it("goes away while a backup runs, and is done afterwards", async () => {
    await backUp(world, "night_1");
    bucket().seed(`${sharedOf(world).insertLogs}1/2/3/3/100/4`, "left over");
    const execution = executionOf("night_2");
    world.memory.running.add(execution.id);
    const seen: unknown[] = [];
    const input = { environment: "prod", backupName: "night_2", incremental: true };
    const options = { after: async (step: string) => seen.push(step === "finalize" ? "over" : await sweep(world)) };
    await runBackup(world.context(), input, execution, {
      ...options,
      after: async (step) => void (await options.after(step)),
    });
    world.memory.running.delete(execution.id);

    expect(seen.length).toBeGreaterThan(1);
    for (const one of seen.slice(0, -1)) {
      expect(one).toMatchObject([{ objects: 0, skipped: expect.stringContaining("night_2") }]);
    }
    expect(await sweep(world)).toMatchObject([{ objects: 1 }]);
  });

  it("counts what a failed backup may still commit, for as long as a function of it may run", async () => {
    await backUp(world, "night_1");
    const faults = new FaultInjector();
    await backUp(world, "night_2", { faults }).catch(() => undefined);
    const at = faults.calls.findIndex((call) => call.includes("upload of") && call.includes("night_2"));
    await backUp(world, "night_3", { faults: new FaultInjector(at) }).catch(() => undefined);

    expect(await sweep(world)).toMatchObject([{ skipped: expect.stringContaining("night_3") }]);
    await world.memory.clock.sleep(claimTimes.endedMilliseconds);
    const before = bucket().keys();
    await sweep(world, { dryRun: true });
    expect(bucket().keys()).toEqual(before);
    const [swept] = await sweep(world);
    expect(swept).not.toHaveProperty("skipped");
    expect(await lacking(world)).toEqual([]);
  });

  it("is waited for by a backup, and a dead one is not waited for long", async () => {
    const { sweep: key } = sharedOf(world);
    const claim = {
      version: 1,
      backupName: "",
      purpose: "sweep",
      state: "deleting",
      holder: "sweep of somebody",
      startedAt: "2026-11-21T11:03:07Z",
      heartbeatAt: "2026-11-21T11:03:07Z",
    };
    bucket().seed(key, JSON.stringify(claim));

    await backUp(world, "night_1");

    const waited = world.memory.clock.now().getTime() - Date.parse(claim.heartbeatAt);
    expect(waited).toBeGreaterThanOrEqual(claimTimes.endedMilliseconds);
    expect(bucket().read(key)).toBeUndefined();
  });

  it("whose claim cannot be read is in the way, with what to do", async () => {
    await backUp(world, "night_1");
    bucket().seed(sharedOf(world).sweep, '{"version":7}');

    const refused = { name: "AlreadyRunning", message: expect.stringMatching(/sweep\.json.*update the pipeline/) };
    await expect(backUp(world, "night_2")).rejects.toMatchObject(refused);
    expect(await sweep(world)).toMatchObject([{ objects: 0, skipped: expect.stringMatching(/update the pipeline/) }]);
  });

  it("goes away where a claim cannot be read: somebody may back up with a later version", async () => {
    await backUp(world, "night_1");
    bucket().remove(layoutOf(world, "night_1").meta.full_meta);
    bucket().seed(`${sharedOf(world).claims}later.json`, '{"version":7}');

    expect(await sweep(world)).toMatchObject([
      { objects: 0, skipped: expect.stringMatching(/later\.json.*update the pipeline/) },
    ]);
  });

  it("frees nothing where the manifest is that of another run of the backup", async () => {
    await backUp(world, "night_1");
    const { manifest, root } = layoutOf(world, "night_1");
    const earlier = bucket().read(manifest) ?? "";
    await remove(world, "night_1");
    addBookSegment(world, "470000000000000399");
    await backUp(world, "night_1", { run: "again" });
    bucket().seed(manifest, earlier);
    expect(bucket().keys(root).length).toBeGreaterThan(5);

    await expect(sweep(world)).rejects.toMatchObject({
      name: "CorruptBackup",
      message: expect.stringContaining("another backup's"),
    });
  });

  it("frees nothing where a backup does not tell what it needs", async () => {
    await backUp(world, "night_1");
    bucket().seed(`${sharedOf(world).insertLogs}1/2/3/3/100/4`, "left over");
    bucket().remove(layoutOf(world, "night_1").manifest);

    await expect(sweep(world)).rejects.toMatchObject({ name: "CorruptBackup" });
    expect(insertLogs()).toHaveLength(13);
    expect(bucket().read(sharedOf(world).sweep)).toBeUndefined();
  });
});

test("a backup under way by another deployment keeps a sweep away for two hours of silence", async () => {
  await backUp(world, "night_1");
  const { claims } = sharedOf(world);
  const holder = "arn:aws:states:us-east-1:999999999999:execution:backup:elsewhere";
  const now = world.memory.clock.now().toISOString();
  const claim = {
    version: 1,
    backupName: "x",
    purpose: "backup",
    state: "writing",
    holder,
    startedAt: now,
    heartbeatAt: now,
  };
  bucket().seed(`${claims}elsewhere.json`, JSON.stringify(claim));
  world.memory.unknown.add(holder);

  expect(await sweep(world)).toMatchObject([{ skipped: expect.stringContaining("elsewhere") }]);
  await world.memory.clock.sleep(claimTimes.silentMilliseconds);
  expect(await sweep(world)).not.toMatchObject([{ skipped: expect.anything() }]);
  expect(deployment).not.toContain("999999999999");
});

test("what a failed plain backup of the name left is gone: milvus-backup would take its level metas for a backup", async () => {
  const plain = { environment: "prod", backupName: "night_1" };
  const counted = new FaultInjector();
  await runBackup(incrementalWorld().context(counted), plain, executionOf("counted"));
  const at = counted.calls.findIndex((call) => call.includes("full_meta.json.finish"));
  await runBackup(world.context(new FaultInjector(at)), plain, executionOf("plain")).catch(() => undefined);
  expect(bucket().keys(backupLayout("backup", "night_1").metas).length).toBeGreaterThan(0);

  await backUp(world, "night_1", { run: "second" });

  const { metas, manifest, manifestParts } = backupLayout("backup", "night_1");
  for (const left of [metas, manifest, manifestParts]) expect(bucket().keys(left)).toEqual([]);
  expect(await lacking(world)).toEqual([]);
});

test("get shows a backup whatever became of another one's manifest", async () => {
  await backUp(world, "night_1");
  await backUp(world, "night_2");
  bucket().seed(layoutOf(world, "night_1").manifest, "{");

  expect(await outlineBackup(bucket(), "backup", "night_2")).toMatchObject({ incremental: { newObjects: 1 } });
});

test("nobody deletes an incremental backup, or sweeps its segments, while a restore reads it", async () => {
  await backUp(world, "night_1");
  const reading = executionOf("restore-night_1");
  const deleted: unknown[] = [];
  const input = { environment: "dr", backupName: "night_1", suffix: "_bak" };
  world.memory.running.add(reading.id);
  await runRestore(world.context(), input, reading, {
    after: async (step) => {
      if (step !== "finish") deleted.push(await remove(world, "night_1").catch((error: Error) => error.name));
    },
  });
  world.memory.running.delete(reading.id);

  expect(new Set(deleted)).toEqual(new Set(["BackupInUse"]));
  expect(await lacking(world)).toEqual([]);
  expect(await remove(world, "night_1")).toMatchObject([{ segments: 3 }]);
});

test("retention deletes incremental backups like others, and sweeps what they leave", async () => {
  const schedule = "nightly";
  const nightly = (name: string) => ({ environment: "prod", backupName: name, incremental: true, schedule });
  await runBackup(world.context(), nightly("nightly_1"), executionOf("nightly_1"));
  compactBooks(world);
  await world.memory.clock.sleep(3_600_000);
  const later = { ...executionOf("nightly_2"), startTime: world.memory.clock.now().toISOString() };
  await runBackup(world.context(), nightly("nightly_2"), later);
  const input = { schedule, environment: "prod", keep: { last: 1 }, timeZone: "UTC" };

  const result = await pruneBackups({ input, stateMachine: deployment, execution: "e" }, world.context());

  expect(result).toMatchObject({ removedNames: ["nightly_1"], swept: { segments: 3, objects: 12 }, warnings: [] });
  expect(await lacking(world)).toEqual([]);
  expect(await rowsRestored("nightly_2")).toBe("32");
});

test("plain backups are as they were: nothing is shared, and their metas lie in meta/", async () => {
  await runBackup(world.context(), { environment: "prod", backupName: "plain" }, executionOf("plain"));

  expect(bucket().keys("backup/milvus-backup-segments/")).toEqual([]);
  expect(bucket().read(backupLayout("backup", "plain").meta.full_meta)).toBeDefined();
});
