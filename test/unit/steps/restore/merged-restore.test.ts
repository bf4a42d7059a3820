import { describe, expect, test } from "vitest";
import { readBinlog } from "../../../../src/core/binlog/frame.ts";
import type { BackupInput, RestoreInput } from "../../../../src/core/execution/messages.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { FaultInjector, type FaultMoment } from "../../../support/fault-injector.ts";
import type { MemoryMilvusOptions } from "../../../support/memory-milvus.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";
import { stagedKeys } from "../../../support/targets.ts";

const collectionId = "470000000000000100";
const partitionId = "470000000000000200";
const target = { database: "default", collection: "many_bak" };
const input: RestoreInput = { environment: "dr", backupName: "nightly", suffix: "_bak" };
/** So few that those without deletes are put together still. */
const segmentCount = 14;
const idOf = (index: number) => String(470_000_000_000_000n + BigInt(index));
/** Every second segment has deletes. */
const segments = Array.from({ length: segmentCount }, (_, index) => ({
  id: idOf(index),
  rows: BigInt(100 + index),
  deletes: index % 2 === 0 ? 0n : 3n,
}));
const inBackup = segments.reduce((sum, { rows }) => sum + rows, 0n);
const livingIn = (of: typeof segments) => of.reduce((sum, { rows, deletes }) => sum + rows - deletes, 0n);
const living = livingIn(segments);

/** A world with a backup of a collection of many small segments in it. */
async function backedUp(
  more: Partial<BackupInput> = {},
  dr: MemoryMilvusOptions = {},
  { deletes = true, of = segments } = {},
): Promise<PipelineWorld> {
  const world = new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup" },
    dr: { milvusAt: "bucket-b/files", backupAt: "bucket-b/backup", milvus: dr },
  });
  for (const segment of of) {
    const path = { collectionId, partitionId, ...segment };
    world.seedSegment("prod", deletes ? path : { ...path, deletes: 0n });
  }
  world.milvus("prod").addCollection(collectionDescription("many", { id: collectionId }), {
    partitions: [{ id: partitionId, name: "_default" }],
    segments: of.map(({ id, rows }) => {
      return { id, collectionId, partitionId, rows, state: "Flushed", isL0: false, storageVersion: "0" };
    }),
  });
  await runBackup(world.context(), { environment: "prod", backupName: "nightly", ...more });
  return world;
}

/** What is staged when the copies are done: directories of insert and delta logs, with the segments in each log of a field. */
async function stagedIn(world: PipelineWorld): Promise<Record<string, string[]>> {
  let staged: Record<string, string[]> = {};
  await runRestore(world.context(), input, executionOf("restore-1"), {
    after: (step) => {
      if (step === "recreate") staged = directories(world);
    },
  });
  return staged;
}

function directories(world: PipelineWorld): Record<string, string[]> {
  const bucket = world.bucket("bucket-b");
  return Object.fromEntries(
    stagedKeys(bucket).map((key) => {
      const { events } = readBinlog(bucket.bytes(key) ?? expect.fail(), key);
      const ids = events.map(({ payload }) => Buffer.from(payload).toString().split(" of ").at(-1) ?? "");
      return [key.replace(/^milvus-backup-staging\/[^/]+\/t0-[0-9a-f]{12}\//, ""), ids];
    }),
  );
}

const all = segments.map(({ id }) => id);
const withDeletes = segments.filter(({ deletes }) => deletes > 0n).map(({ id }) => id);
const without = segments.filter(({ deletes }) => deletes === 0n).map(({ id }) => id);
const fields = ["0", "1", "100", "101"];
const insert = (id: string) => `insert_log/${collectionId}/${partitionId}/${id}`;
const delta = (id: string) => `delta_log/${collectionId}/${partitionId}/${id}`;
const first = idOf(0);

describe("a restore of many small segments", () => {
  test("of a consistent cut is one import of one directory: a log a field, and one of deletes", async () => {
    const world = await backedUp();

    const staged = await stagedIn(world);

    expect(staged).toEqual({
      [`${delta(first)}/${first}`]: withDeletes,
      ...Object.fromEntries(fields.map((field) => [`${insert(first)}/${field}/${first}`, all])),
    });
    const submitted = world.milvus("dr").submittedImports(target);
    expect(submitted).toHaveLength(1);
    expect(submitted[0]?.end).toBeDefined();
    expect(await world.milvus("dr").rowCount(target)).toBe(living);
    expect(stagedKeys(world.bucket("bucket-b"))).toEqual([]);
  });

  test("of a backup without an instant gives those with deletes whose keys nobody can read directories beside that of the others, in the same task", async () => {
    const world = await backedUp({ strategy: "skip_flush" });

    const staged = await stagedIn(world);

    expect(staged).toEqual({
      ...Object.fromEntries(fields.map((field) => [`${insert(first)}/${field}/${first}`, without])),
      ...Object.fromEntries(
        withDeletes.flatMap((id) => [
          ...fields.map((field) => [`${insert(id)}/${field}/${id}`, [id]] as const),
          [`${delta(id)}/${id}`, [id]] as const,
        ]),
      ),
    });
    expect(world.milvus("dr").submittedImports(target)).toHaveLength(1);
    expect(await world.milvus("dr").rowCount(target)).toBe(living);
  });

  test("into a Milvus that does not hold a delete's time against the row's does the same with a cut", async () => {
    const world = await backedUp({}, { version: "2.3.4" });

    const staged = await stagedIn(world);

    expect(staged[`${insert(first)}/100/${first}`]).toEqual(without);
    expect(Object.keys(staged).filter((key) => key.startsWith("delta_log/"))).toHaveLength(withDeletes.length);
    expect(await world.milvus("dr").rowCount(target)).toBe(living);
  });

  test("into Milvus 2.4 reads them where they lie", async () => {
    expect(await stagedIn(await backedUp({}, { version: "2.4.0" }))).toEqual({});
  });

  test("tells what was staged and imported as ever", async () => {
    const world = await backedUp();
    const result = await runRestore(world.context(), input);

    expect(result).toMatchObject({ outcome: "restored", warnings: [] });
    expect(result.collections).toMatchObject([{ inBackup: String(inBackup), imported: String(living) }]);
  });

  test("is held to the rows of all its segments", async () => {
    const world = await backedUp({}, {}, { deletes: false });
    // the server reads one row less of one of them
    const lost = segments[4] ?? expect.fail();
    world.seedSegment("dr", { collectionId, partitionId, id: lost.id, rows: lost.rows - 1n });

    await expect(runRestore(world.context(), input)).rejects.toMatchObject({
      name: "RowCountMismatch",
      message: expect.stringContaining(`brought ${inBackup - 1n} rows, which must be ${inBackup}`),
    });
  });

  test("finds a log that was altered before the target is touched", async () => {
    const world = await backedUp();
    const key = `backup/nightly/binlogs/insert_log/${collectionId}/${partitionId}/${idOf(7)}/${idOf(7)}/100/1${idOf(7)}`;
    const bytes = Buffer.from(world.bucket("bucket-b").bytes(key) ?? expect.fail());
    world.bucket("bucket-b").seed(key, bytes.fill("z", bytes.length - 3));

    await expect(runRestore(world.context(), input)).rejects.toMatchObject({
      name: "CorruptBackup",
      message: expect.stringContaining(`${key} was altered`),
    });
    expect(world.milvus("dr").calls.join()).not.toMatch(/create|drop|submitImport/);
  });

  test.each<[string, (world: PipelineWorld, key: string) => void, RegExp]>([
    ["vanished", (world, key) => world.bucket("bucket-b").remove(key), /is missing/],
    [
      "was replaced at the same size",
      (world, key) => {
        const bytes = Buffer.from(world.bucket("bucket-b").bytes(key) ?? expect.fail());
        world.bucket("bucket-b").seed(key, bytes.fill("z", bytes.length - 3));
      },
      /was replaced/,
    ],
    ["is not alone", (world, key) => world.bucket("bucket-b").seed(`${key}9`, "x"), /does not belong there/],
  ])("makes nothing where what was put together %s by the time of the import", async (_, change, problem) => {
    const world = await backedUp();
    const running = runRestore(world.context(), input, executionOf("restore-1"), {
      after: (step) => {
        const key = stagedKeys(world.bucket("bucket-b")).find((one) => one.includes("/100/"));
        if (step === "copy") change(world, key ?? expect.fail());
      },
    });

    await expect(running).rejects.toMatchObject({ name: "CopyMismatch", message: expect.stringMatching(problem) });
    expect(world.milvus("dr").calls.join()).not.toMatch(/create|drop|submitImport/);
  });

  test("under two names is staged once, and its directory imported twice", async () => {
    const world = await backedUp();
    world.bucket("bucket-b").calls.length = 0;
    await runRestore(world.context(), { environment: "dr", backupName: "nightly", renames: { many: ["one", "two"] } });

    const [one, two] = ["one", "two"].map((collection) => {
      return world.milvus("dr").submittedImports({ database: "default", collection });
    });
    expect(one?.map(({ files }) => files)).toEqual(two?.map(({ files }) => files));
    expect(world.bucket("bucket-b").calls.filter((call) => call.startsWith("finishText"))).toHaveLength(5);
  });
});

describe.each<FaultMoment>(["before", "after"])(
  "with a fault %s any call of the copy, or up to the import",
  (moment) => {
    const few = segments.slice(0, 6);

    test("it brings every row once: when the step runs again, and in a new execution", async () => {
      const undisturbed = new FaultInjector();
      const steps = new Map<string, number>();
      await runRestore((await backedUp({}, {}, { of: few })).context(undisturbed), input, executionOf("first"), {
        after: (step) => void steps.set(step, undisturbed.calls.length),
      });
      const [from, to] = [steps.get("prepare") ?? 0, steps.get("import") ?? 0];
      expect(to - from).toBeGreaterThan(40);

      for (let at = from; at < to; at += 1) {
        const what = `${moment} ${undisturbed.calls[at]}`;
        const world = await backedUp({}, {}, { of: few });
        const context = world.context(new FaultInjector(at, moment));
        if (at % 2 === 0) {
          await runRestore(context, input, executionOf("first"), { retries: 1 });
        } else {
          const failing = runRestore(context, input, executionOf("first"));
          const failed = await failing.then(
            () => false,
            () => true,
          );
          if (failed) await runRestore(world.context(), input, executionOf("second"));
        }
        const milvus = world.milvus("dr");
        expect(await milvus.rowCount(target), what).toBe(livingIn(few));
        expect(milvus.submittedImports(target), what).toHaveLength(1);
        expect(stagedKeys(world.bucket("bucket-b")), what).toEqual([]);
      }
    });
  },
);
