import { expect, test } from "vitest";
import { FaultInjector, type FaultMoment } from "../../../support/fault-injector.ts";
import {
  backUpLocked,
  day,
  inThirtyDays,
  layoutOf,
  lockedUntil,
  lockingWorld,
  startTime,
} from "../../../support/locking-world.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup } from "../../../support/run-machines.ts";
import { addBookSegment, seedShop } from "../../../support/seed-shop.ts";

const moments: readonly FaultMoment[] = ["before", "after"];
const plain = { environment: "prod", backupName: "nightly" };

test("everything of a backup is locked until one date, which its manifest and its result tell; the claim is not", async () => {
  const world = lockingWorld();

  const result = await backUpLocked(world, "nightly");

  expect(result.lock).toEqual({ mode: "governance", until: inThirtyDays });
  expect(await lockedUntil(world, "nightly")).toEqual([inThirtyDays]);
  const bucket = world.bucket("bucket-b");
  const { manifest, claim, root } = layoutOf("nightly");
  expect(JSON.parse(bucket.read(manifest) ?? "")).toMatchObject({ lock: result.lock });
  expect(bucket.keys().every((key) => key.startsWith(root) && bucket.lockAt(key) !== undefined)).toBe(true);
  expect(bucket.read(claim)).toBeUndefined();
  expect(() => bucket.removeVersions(claim, new Date(startTime))).not.toThrow();
  expect(() => bucket.removeVersions(manifest, new Date(startTime))).toThrow("WORM");
});

test("a backup without a lock asks nothing about locks", async () => {
  const world = lockingWorld();
  const faults = new FaultInjector();

  await runBackup(world.context(faults), plain);

  expect(faults.calls.filter((call) => /[lL]ock/.test(call))).toEqual([]);
  expect(await lockedUntil(world, "nightly")).toEqual(["not locked"]);
});

test.each(moments)(
  "killed %s any call, nothing is committed that is not locked, and the same command locks all of it",
  async (moment) => {
    const faults = new FaultInjector();
    await backUpLocked(lockingWorld(), "nightly", { faults });
    const later = new Date(Date.parse(inThirtyDays) + day).toISOString();

    for (let at = 0; at < faults.calls.length; at += 1) {
      const world = lockingWorld();
      const interrupted = new FaultInjector(at, moment);
      await backUpLocked(world, "nightly", { faults: interrupted, run: "first" }).catch(() => undefined);
      const committed = await lockedUntil(world, "nightly");
      expect(committed.length === 0 || committed.join() === inThirtyDays, faults.calls[at]).toBe(true);
      if (committed.length > 0) continue;
      await backUpLocked(world, "nightly", { run: "second", daysLater: 1 });

      expect(await lockedUntil(world, "nightly"), faults.calls[at]).toEqual([later]);
    }
  },
);

test("an incremental backup extends the lock of what it names again, and a shorter one takes none away", async () => {
  const world = lockingWorld();
  await backUpLocked(world, "night_1", { incremental: true });
  addBookSegment(world, "470000000000000399");

  const second = await backUpLocked(world, "night_2", { incremental: true, daysLater: 1 });
  const later = new Date(Date.parse(inThirtyDays) + day).toISOString();
  expect(second.newObjects).toBeGreaterThan(0);
  expect(second.objects).toBeGreaterThan(second.newObjects ?? 0);
  expect(await lockedUntil(world, "night_2", true)).toEqual([later]);
  // what both name is locked for the longer time
  expect(await lockedUntil(world, "night_1", true)).toEqual([inThirtyDays, later]);

  await backUpLocked(world, "night_3", { incremental: true, daysLater: 2, lock: "1d" });
  expect(await lockedUntil(world, "night_2", true)).toEqual([later]);
});

test("a backup of which everything is stored already locks it all the same", async () => {
  const world = lockingWorld();
  await runBackup(world.context(), { ...plain, backupName: "night_1", incremental: true }, executionOf("first"));
  expect(await lockedUntil(world, "night_1", true)).toEqual(["not locked"]);

  await backUpLocked(world, "night_2", { incremental: true });

  expect(await lockedUntil(world, "night_2", true)).toEqual([inThirtyDays]);
});

test.each(moments)(
  "an incremental one that is killed %s any call commits nothing that is not locked",
  async (moment) => {
    const started = async () => {
      const world = lockingWorld();
      await backUpLocked(world, "night_1", { incremental: true, lock: "1d" });
      addBookSegment(world, "470000000000000399");
      return world;
    };
    const faults = new FaultInjector();
    await backUpLocked(await started(), "night_2", { incremental: true, faults });

    for (let at = 0; at < faults.calls.length; at += 1) {
      const world = await started();
      const options = { incremental: true, faults: new FaultInjector(at, moment), run: "first" } as const;
      await backUpLocked(world, "night_2", options).catch(() => undefined);
      const committed = await lockedUntil(world, "night_2", true);
      expect(committed.length === 0 || committed.join() === inThirtyDays, faults.calls[at]).toBe(true);
      if (committed.length > 0) continue;
      await backUpLocked(world, "night_2", { incremental: true, run: "second" });
      expect(await lockedUntil(world, "night_2", true), faults.calls[at]).toEqual([inThirtyDays]);
    }
  },
);

test("a compliance lock over segments that are locked in governance mode is refused, and nothing is committed", async () => {
  const world = lockingWorld();
  await backUpLocked(world, "night_1", { incremental: true });

  const stronger = backUpLocked(world, "night_2", { incremental: true, mode: "compliance" });

  await expect(stronger).rejects.toMatchObject({ name: "BackupLocked" });
  expect(await lockedUntil(world, "night_2", true)).toEqual([]);
  expect(await lockedUntil(world, "night_1", true)).toEqual([inThirtyDays]);
});

test("a bucket without Object Lock is refused before anything is flushed, claimed or copied", async () => {
  const world = new PipelineWorld({ prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup" } });
  seedShop(world);

  await expect(backUpLocked(world, "nightly")).rejects.toMatchObject({
    name: "InvalidInput",
    message: expect.stringMatching(
      /lock asks for a lock.*bucket-b.*has no Object Lock.*mc mb --with-lock.*Nothing was copied/,
    ),
  });

  expect(world.bucket("bucket-b").keys()).toEqual([]);
  expect(world.milvus("prod").calls.filter((call) => call.startsWith("flush"))).toEqual([]);
});

test("an environment locks every backup, and what a command says counts before it", async () => {
  const world = lockingWorld();
  const { backupStorage } = world.environment("prod");
  world.registerAnew("prod", { backupStorage: { ...backupStorage, objectLock: { for: "2d", mode: "compliance" } } });

  const result = await runBackup(world.context(), { ...plain, backupName: "as_the_environment_says" });
  expect(result.lock).toEqual({ mode: "compliance", until: "2026-11-23T11:03:07.000Z" });
  expect((await backUpLocked(world, "otherwise")).lock).toEqual({ mode: "governance", until: inThirtyDays });
});

test("a lock that would be over before it is set is refused", async () => {
  const world = lockingWorld();
  await world.memory.clock.sleep(2 * 3_600_000);

  await expect(backUpLocked(world, "nightly", { lock: "1h" })).rejects.toMatchObject({
    name: "InvalidInput",
    message: expect.stringContaining("give a longer one"),
  });
});

test("a store that takes locks and drops them is found before anything is committed", async () => {
  const world = lockingWorld();
  const bucket = world.bucket("bucket-b");
  bucket.lockOf = async () => undefined;

  await expect(backUpLocked(world, "nightly")).rejects.toMatchObject({
    name: "StoreFailed",
    message: expect.stringContaining("does not keep the locks"),
  });
  expect(await lockedUntil(world, "nightly")).toEqual([]);
});

test("what a failed one left tells until when it is locked", async () => {
  const world = lockingWorld();
  const bucket = world.bucket("bucket-b");
  bucket.failOn(
    (call) => call.startsWith("finishText") && call.includes("full_meta"),
    () => new Error("broken"),
    99,
  );

  await expect(backUpLocked(world, "nightly")).rejects.toMatchObject({
    released: {
      left: expect.stringMatching(
        /the same command goes on from there; they are locked until 2026-12-21 11:04 UTC \(governance\)/,
      ),
    },
  });
});

test("logs are stored in the class that the environment names, metas in the bucket's own", async () => {
  const world = lockingWorld();
  const { backupStorage } = world.environment("prod");
  world.registerAnew("prod", { backupStorage: { ...backupStorage, storageClass: "GLACIER" } });

  await runBackup(world.context(), plain);

  const { binlogs, root } = layoutOf("nightly");
  const archived: boolean[] = [];
  for await (const { key, archived: isArchived } of world.bucket("bucket-b").list(root)) {
    archived.push((isArchived ?? false) === key.startsWith(binlogs));
  }
  expect(archived.length).toBeGreaterThan(5);
  expect(archived.every(Boolean)).toBe(true);
});
