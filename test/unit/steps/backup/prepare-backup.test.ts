import { beforeEach, describe, expect, test } from "vitest";
import { type CopyBatch, copyBatch } from "../../../../src/core/execution/copy-plan.ts";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { batchName, workLayout } from "../../../../src/core/execution/work-layout.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { hybridTimestamp, instantOf } from "../../../../src/core/milvus/instant.ts";
import { type BackupPlan, type PlannedCollection, plannedCollection } from "../../../../src/core/plan/backup.ts";
import { prepareBackup } from "../../../../src/steps/backup/prepare-backup.ts";
import { releaseBackup } from "../../../../src/steps/backup/release-backup.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { printLogHead } from "../../../support/log-head.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup } from "../../../support/run-machines.ts";
import { books, seedShop } from "../../../support/seed-shop.ts";

const execution = executionOf("nightly-1");
const layout = workLayout("backup", execution.name);
const input = { environment: "prod", backupName: "nightly" };
const request = { execution, input, attempt: 0 };
const name = { database: "default", collection: "books" };

let world: PipelineWorld;

beforeEach(() => {
  world = new PipelineWorld();
  seedShop(world);
});

function plan(): BackupPlan {
  return JSON.parse(world.work.read(layout.plan) ?? "null");
}

/** What the plan of an attempt holds of the collection with that number. */
function planned(index = 0, attempt = 0): PlannedCollection {
  return plannedCollection.parse(JSON.parse(world.work.read(layout.collection(attempt, index)) ?? "null"));
}

/** Tells the next attempt which collections were torn, as Finalize Backup does. */
function tear(attempt: number, ...collectionIds: string[]): void {
  world.work.seed(layout.torn(attempt), JSON.stringify({ collectionIds }));
}

function batch(index = 0, attempt = 0): CopyBatch {
  return copyBatch.parse(JSON.parse(world.work.read(layout.batch(batchName(attempt, index))) ?? "null"));
}

describe("a plan", () => {
  test("holds what Milvus says of each collection after the flush", async () => {
    const result = await prepareBackup(request, world.context());

    expect(result).toMatchObject({
      outcome: "planned",
      backupName: "nightly",
      collections: 2,
      segments: 3,
      batches: 1,
    });
    const carts = planned(1);
    expect(planned().segments.map(({ id }) => id)).toEqual(books.segments);
    expect(planned()).toMatchObject({
      loadState: "Loaded",
      partitions: [{ loadState: "NotLoad" }, { loadState: "Loaded" }],
      indexes: [{ indexName: "vec_idx" }],
      description: { aliases: ["library"] },
    });
    expect(carts).toMatchObject({ loadState: "NotLoad", segments: [] });
    expect(plan().totals).toEqual({ collections: 2, segments: 3, rows: "35" });
  });

  test("copies each segment to a group of its own and expects logs of every field", async () => {
    await prepareBackup(request, world.context());

    const [segment] = batch().segments;
    expect(segment).toEqual({
      collectionId: books.id,
      partitionId: books.defaultPartition,
      segmentId: books.segments[0],
      rows: "10",
      isL0: false,
      fieldIds: ["0", "1", "100", "101"],
      prefixes: [
        {
          kind: "insert",
          from: `files/insert_log/${books.id}/${books.defaultPartition}/${books.segments[0]}/`,
          to: `backup/nightly/binlogs/insert_log/${books.id}/${books.defaultPartition}/${books.segments[0]}/${books.segments[0]}/`,
        },
        {
          kind: "delta",
          from: `files/delta_log/${books.id}/${books.defaultPartition}/${books.segments[0]}/`,
          to: `backup/nightly/binlogs/delta_log/${books.id}/${books.defaultPartition}/${books.segments[0]}/${books.segments[0]}/`,
          only: [],
        },
      ],
    });
  });

  test("leaves out segments of a partition that was dropped meanwhile", async () => {
    const orphan = {
      id: "9",
      collectionId: books.id,
      partitionId: "8",
      rows: 5n,
      state: "Flushed",
      isL0: false,
      storageVersion: "0",
    } as const;
    world.milvus("prod").setSegments(name, [orphan]);

    await prepareBackup(request, world.context());

    expect(planned().segments.map(({ id }) => id)).toEqual([books.segments[2]]);
  });

  test("takes what is sealed, without a flush, under skip_flush", async () => {
    await prepareBackup({ ...request, input: { ...input, strategy: "skip_flush" } }, world.context());

    expect(planned().segments.map(({ id }) => id)).toEqual(books.segments.slice(0, 2));
    expect(world.milvus("prod").calls.filter((call) => call.startsWith("flush"))).toEqual([]);
  });

  test("holds no segments, flushes and pauses nothing under meta_only", async () => {
    await prepareBackup({ ...request, input: { ...input, strategy: "meta_only" } }, world.context());

    expect(plan()).toMatchObject({ totals: { collections: 2, segments: 0 } });
    expect(world.milvus("prod").calls.join()).not.toMatch(/flush|listSegments|pause/);
  });

  test("is about the selected collections only, and their databases", async () => {
    await prepareBackup({ ...request, input: { ...input, collections: ["shop.*"] } }, world.context());

    expect(plan().collections.map((collection) => collection.name)).toEqual(["shop.carts"]);
    expect(plan().databases.map((database) => database.name)).toEqual(["shop"]);
  });

  test("takes a segment's exact logs from a Milvus that tells them", async () => {
    world = new PipelineWorld({
      prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup", milvus: { version: "2.5.8" } },
    });
    seedShop(world);
    await world.milvus("prod").flush(name);
    const path = { collectionId: books.id, partitionId: books.novels };
    const logs = {
      segmentId: "7",
      virtualChannel: "ch_0",
      insertLogs: [
        { fieldId: "0", logIds: ["1"] },
        { fieldId: "100", logIds: ["2", "3"] },
      ],
      deltaLogs: [{ fieldId: "0", logIds: ["4"] }],
    };
    world
      .milvus("prod")
      .setSegments(name, [{ ...path, id: "7", rows: 5n, state: "Flushed", isL0: false, storageVersion: "0", logs }]);

    await prepareBackup(request, world.context());

    expect(planned().segments[0]?.virtualChannel).toBe("ch_0");
    const [segment] = batch().segments;
    expect(segment?.prefixes.map(({ only }) => only)).toEqual([["0/1", "100/2", "100/3"], ["4"]]);
    expect(segment?.fieldIds).toBeUndefined();
  });

  test("copies an L0 segment's delta logs only", async () => {
    const l0 = {
      id: "7",
      collectionId: books.id,
      partitionId: "-1",
      rows: 0n,
      state: "Flushed",
      isL0: true,
      storageVersion: "0",
    } as const;
    world.milvus("prod").setSegments(name, [l0]);
    world.bucket("bucket-a").seed(`files/delta_log/${books.id}/-1/7/9`, "deletes");

    await prepareBackup(request, world.context());

    expect(batch().segments.find(({ segmentId }) => segmentId === "7")?.prefixes).toEqual([
      {
        kind: "delta",
        from: `files/delta_log/${books.id}/-1/7/`,
        to: `backup/nightly/binlogs/delta_log/${books.id}/-1/7/`,
        only: ["9"],
      },
    ]);
  });
});

describe("a later attempt", () => {
  const flushes = () => world.milvus("prod").calls.filter((call) => call.startsWith("flush "));

  test("flushes and lists what was torn anew, at a later instant, and nothing else", async () => {
    const context = world.context();
    await prepareBackup(request, context);
    const [first] = plan().collections;
    const before = flushes().length;
    tear(0, planned(1).description.id);
    await context.clock.sleep(1_000);

    await prepareBackup({ ...request, attempt: 1 }, context);

    expect(flushes().slice(before)).toEqual(["flush shop.carts"]);
    expect(plan().collections[0]).toEqual(first);
    expect(plan().collections[1]).toMatchObject({ name: "shop.carts", attempt: 1 });
    expect(BigInt(planned(1, 1).instant?.timestamp ?? 0)).toBeGreaterThan(
      BigInt(planned(1, 0).instant?.timestamp ?? 0),
    );
    // what is not torn is not copied again
    expect(JSON.parse(world.work.read(layout.items(1)) ?? "[]")).toEqual([]);
  });

  test("that was cut off when it had its plan runs again from the plan of the attempt before", async () => {
    const context = world.context();
    await prepareBackup(request, context);
    tear(0, planned(1).description.id);
    const result = await prepareBackup({ ...request, attempt: 1 }, context);
    const first = plan();

    const again = await prepareBackup({ ...request, attempt: 1 }, context);

    expect(again).toEqual(result);
    expect(plan()).toEqual(first);
  });

  test("takes a collection that was made again under its name as what it is now", async () => {
    const context = world.context();
    await prepareBackup(request, context);
    const { description } = planned(1);
    await world.milvus("prod").dropCollection(description.name);
    world.milvus("prod").addCollection({ ...description, id: "470000000000000999" });
    tear(0, description.id);

    await prepareBackup({ ...request, attempt: 1 }, context);

    expect(plan().collections[1]).toMatchObject({ id: "470000000000000999", attempt: 1 });
  });

  test("says that a collection is gone: in a warning, or as an error where the input names it", async () => {
    const context = world.context();
    await prepareBackup(request, context);
    const { description } = planned(1);
    await world.milvus("prod").dropCollection(description.name);
    tear(0, description.id);

    await prepareBackup({ ...request, attempt: 1 }, context);

    expect(plan().collections.map((collection) => collection.name)).toEqual(["default.books"]);
    expect(plan().warnings.join()).toContain("shop.carts was dropped while it was backed up");

    const named = {
      ...request,
      execution: executionOf("named"),
      input: { ...input, backupName: "b", collections: ["books"] },
    };
    await prepareBackup(named, context);
    await world.milvus("prod").dropCollection(name);
    const files = workLayout("backup", "named");
    world.work.seed(files.torn(0), JSON.stringify({ collectionIds: [books.id] }));
    await expect(prepareBackup({ ...named, attempt: 1 }, context)).rejects.toMatchObject({
      name: "CollectionNotFound",
      message: expect.stringContaining("default.books was dropped or renamed while it was backed up"),
    });
  });
});

describe("one instant", () => {
  test("is the timestamp of the flush, and what that flush sealed is told apart", async () => {
    await prepareBackup(request, world.context());

    const { instant, flushed } = planned();
    expect(instant).toEqual({ timestamp: flushed?.timestamp, time: "2026-11-21T11:03:07.000Z" });
    expect(flushed?.sealedIds).toEqual([books.segments[2]]);
  });

  /** Rows that came behind the flush, `seconds` after it was stamped; flushed since, or growing still. */
  function writeBehindTheFlush(options: { seconds: number; flushed: boolean; logs?: boolean; times?: number }): void {
    const milvus = world.milvus("prod");
    const flush = milvus.flush.bind(milvus);
    let left = options.times ?? 1;
    milvus.flush = async (of) => {
      const flushed = await flush(of);
      if (of.collection !== "books" || left === 0) return flushed;
      left -= 1;
      milvus.growRows(of, 7);
      const { id, partitionId } = (await milvus.listSegments(of)).at(-1) ?? { id: "", partitionId: "" };
      if (options.flushed) await flush(of);
      const from = BigInt(hybridTimestamp(BigInt(world.memory.clock.now().getTime() + 1000 * options.seconds)));
      const log = `files/insert_log/${books.id}/${partitionId}/${id}/1/7${id}`;
      if (options.logs ?? true) {
        world.bucket("bucket-a").seed(log, printLogHead({ from, to: from + 9n, originalSize: 56 }));
      }
      return flushed;
    };
  }
  const flushesOfBooks = () => world.milvus("prod").calls.filter((call) => call === "flush default.books").length;

  test.each([{ flushed: true }, { flushed: false }, { flushed: false, logs: false }])(
    "has none of the rows that were written later: %o",
    async (segment) => {
      writeBehindTheFlush({ seconds: 1, ...segment });

      await prepareBackup(request, world.context());

      expect(planned().segments.map(({ id }) => id)).toEqual(books.segments);
    },
  );

  test.each([true, false])(
    "is taken anew where rows of before it are in a segment that the flush did not name (flushed since: %s)",
    async (flushed) => {
      writeBehindTheFlush({ seconds: -1, flushed });

      await prepareBackup(request, world.context());

      expect(flushesOfBooks()).toBe(flushed ? 3 : 2);
      expect(planned().segments).toHaveLength(books.segments.length + 1);
      expect(planned().segments.map(({ rows }) => rows)).toContain("7");
    },
  );

  test("is taken anew where what was flushed since was compacted away before anybody looked", async () => {
    writeBehindTheFlush({ seconds: -1, flushed: true, logs: false });

    await prepareBackup(request, world.context());

    expect(planned().segments).toHaveLength(books.segments.length + 1);
  });

  test("is given up where rows of before it never stop to come", async () => {
    writeBehindTheFlush({ seconds: -1, flushed: false, times: Number.POSITIVE_INFINITY });

    await expect(prepareBackup(request, world.context())).rejects.toMatchObject({
      name: "InconsistentSegments",
      message: expect.stringContaining("held earlier rows"),
    });
    expect(flushesOfBooks()).toBe(10);
  });

  test("has the delta logs that lay there when it was planned, by their keys", async () => {
    const [first = ""] = books.segments;
    const at = `files/delta_log/${books.id}/${books.defaultPartition}/${first}`;
    world.bucket("bucket-a").seed(`${at}/11`, "deletes before");
    const context = world.context();

    await runBackup(context, input, execution, {
      after: (step) => {
        if (step === "prepare") world.bucket("bucket-a").seed(`${at}/12`, "deletes after");
      },
    });

    const copied = world.bucket("bucket-b").keys("backup/nightly/binlogs/delta_log/");
    expect(copied.filter((key) => key.includes(`/${first}/`)).map((key) => key.split("/").at(-1))).toEqual(["11"]);
  });

  test("is taken anew where compaction took segments between the flush and the list", async () => {
    const milvus = world.milvus("prod");
    const listSegments = milvus.listSegments.bind(milvus);
    let compacted = 0;
    milvus.listSegments = async (of) => {
      const listed = await listSegments(of);
      if (of.collection !== "books" || compacted >= 2) return listed;
      compacted += 1;
      return listed.slice(1);
    };

    await prepareBackup(request, world.context());

    expect(milvus.calls.filter((call) => call === "flush default.books")).toHaveLength(3);
    expect(planned().segments.map(({ id }) => id)).toEqual(books.segments);
    expect(planned().instant).toEqual(instantOf(planned().flushed?.timestamp ?? ""));
  });

  test("is given up where compaction is always quicker", async () => {
    const milvus = world.milvus("prod");
    milvus.listSegments = async () => [];

    await expect(prepareBackup(request, world.context())).rejects.toMatchObject({
      name: "InconsistentSegments",
      message: expect.stringContaining(
        "default.books is compacted, or imported into, faster than its segments can be listed",
      ),
    });
  });
});

describe("many collections", () => {
  const many = 40;
  const flushes = () => world.milvus("prod").calls.filter((call) => call.startsWith("flush "));

  beforeEach(() => {
    for (let index = 0; index < many; index += 1) {
      world.milvus("prod").addCollection(collectionDescription(`c${index}`, { id: String(480_000 + index) }));
    }
  });

  test("are flushed once each, though the step fails and runs again", async () => {
    const busy = new PipelineError("MilvusBusy", "rate limit exceeded");
    world.milvus("prod").fail("describeCollection", busy, {
      times: 1,
      when: (of) => JSON.stringify(of).includes('"c20"'),
    });
    const context = world.context();

    await expect(prepareBackup(request, context)).rejects.toThrow(busy);
    const before = flushes().length;
    expect(before).toBeGreaterThan(0);
    await prepareBackup(request, context);

    expect(new Set(flushes()).size).toBe(many + 2);
    expect(flushes()).toHaveLength(many + 2);
    expect(plan().collections).toHaveLength(many + 2);
  });

  test("are planned over several invocations where time runs out", async () => {
    const context = world.context();
    const milvus = world.milvus("prod");
    const flush = milvus.flush.bind(milvus);
    milvus.flush = async (of) => {
      await context.clock.sleep(60_000);
      return flush(of);
    };

    const outcomes: string[] = [];
    for (let runs = 0; runs < 20 && outcomes.at(-1) !== "planned"; runs += 1) {
      outcomes.push((await prepareBackup(request, context)).outcome);
    }

    expect(outcomes.slice(0, -1)).toContain("planning");
    expect(outcomes.at(-1)).toBe("planned");
    expect(flushes()).toHaveLength(many + 2);
  });
});

describe("a folder in which something lies", () => {
  const { claim, meta, binlogs } = backupLayout("backup", "nightly");

  test.each([
    ["level metas only, which milvus-backup reads", meta.segment_meta, "meta/"],
    ["logs", `${binlogs}insert_log/1/2/3/3/100/4`, "binlogs/"],
  ])("%s is in the way, and stays as it is", async (_, key, named) => {
    const bucket = world.bucket("bucket-b");
    bucket.seed(key, "theirs");
    const context = world.context();

    await expect(prepareBackup(request, context)).rejects.toMatchObject({
      name: "BackupExists",
      message: expect.stringContaining(`did not write: ${named}. Choose another name`),
    });
    await releaseBackup({ ...request, failure: { Error: "BackupExists", Cause: "" } }, context);
    expect(bucket.keys().map((at) => [at, bucket.read(at)])).toEqual([[key, "theirs"]]);
    expect(world.milvus("prod").calls.join()).not.toContain("flush");
  });

  test("that a failed execution wrote is gone on with", async () => {
    const context = world.context();
    await prepareBackup(request, context);
    world.bucket("bucket-b").seed(`${binlogs}insert_log/1/2/3/3/100/4`, "copied");
    await releaseBackup({ ...request, failure: { Error: "StoreFailed", Cause: "" } }, context);
    expect(JSON.parse(world.bucket("bucket-b").read(claim) ?? "")).toMatchObject({ state: "failed" });

    await expect(prepareBackup({ ...request, execution: executionOf("again") }, context)).resolves.toMatchObject({
      outcome: "planned",
    });
  });

  test("is claimed for the schedule that wants it, before Milvus is asked to flush", async () => {
    world.milvus("prod").fail("flush", new PipelineError("MilvusFailed", "no"));
    const scheduled = { environment: "prod", backupName: "nightly", schedule: "nightly" };

    await expect(prepareBackup({ ...request, input: scheduled }, world.context())).rejects.toThrow("no");

    expect(JSON.parse(world.bucket("bucket-b").read(claim) ?? "")).toMatchObject({
      state: "writing",
      holder: execution.id,
      schedule: { name: "nightly", environment: "prod" },
    });
  });

  test("of another deployment with the same backup root and schedule is claimed there, whatever this work bucket says", async () => {
    await prepareBackup(request, world.context());
    world.memory.running.add(execution.id);
    const other = { ...world.context(), work: new MemoryObjectStore("other-work") };

    await expect(prepareBackup({ ...request, execution: executionOf("other") }, other)).rejects.toMatchObject({
      name: "AlreadyRunning",
      message: expect.stringContaining("execution nightly-1"),
    });
  });
});

describe("garbage collection", () => {
  beforeEach(() => {
    world = new PipelineWorld({
      prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup", milvus: { version: "2.4.0" } },
    });
    seedShop(world);
  });

  test("is paused once, however often the step runs", async () => {
    const context = world.context();
    await prepareBackup(request, context);
    await prepareBackup(request, context);
    tear(0);
    await prepareBackup({ ...request, attempt: 1 }, context);

    expect(world.milvus("prod").openPauses).toHaveLength(1);
  });

  test("that cannot be paused is a warning, not a failure", async () => {
    world.milvus("prod").fail("pauseGarbageCollection", new PipelineError("MilvusUnreachable", "no one listens"));

    await prepareBackup(request, world.context());

    expect(plan().warnings).toEqual([expect.stringContaining("backup.gcPause.address")]);
  });

  test("goes on, and the name is free, where the step failed before it had a plan", async () => {
    const context = world.context();
    world.milvus("prod").fail("listSegments", new PipelineError("MilvusFailed", "no such channel"));

    await expect(prepareBackup(request, context)).rejects.toThrow("no such channel");
    expect(world.milvus("prod").openPauses).toHaveLength(1);
    const released = await releaseBackup(
      { ...request, failure: { Error: "MilvusFailed", Cause: "no such channel" } },
      context,
    );

    expect(world.milvus("prod").openPauses).toEqual([]);
    expect(released.left).toBe("");
  });
});

describe("bad input", () => {
  test.each([
    ["an environment that is not registered", { environment: "staging" }, "UnknownEnvironment", "staging"],
    ["a name with other characters", { backupName: "my backup" }, "InvalidInput", "backupName"],
    ["a selector that is none", { collections: ["a.b.c"] }, "InvalidInput", "collections"],
    [
      "a collection that does not exist",
      { collections: ["books", "novels"] },
      "CollectionNotFound",
      "there is no collection default.novels",
    ],
    ["a database that does not exist", { collections: ["pub.*"] }, "CollectionNotFound", "pub.*"],
  ])("%s fails before anything is held or written", async (_, wrong, error, message) => {
    const failed = prepareBackup({ ...request, input: { ...input, ...wrong } }, world.context());

    await expect(failed).rejects.toMatchObject({ name: error, message: expect.stringContaining(message) });
    expect(world.work.keys().filter((key) => !key.endsWith("/environments.json"))).toEqual([]);
    expect(world.bucket("bucket-b").keys()).toEqual([]);
    expect(world.milvus("prod").calls.join()).not.toContain("flush");
  });

  test("a root path that is not Milvus's is named at once, and no compaction is blamed", async () => {
    const context = world.context();
    const { get } = context.environments;
    const elsewhere = async (...asked: Parameters<typeof get>) => {
      const environment = await get.apply(context.environments, asked);
      return { ...environment, storage: { ...environment.storage, rootPath: "other" } };
    };

    await expect(
      prepareBackup(request, { ...context, environments: { ...context.environments, get: elsewhere } }),
    ).rejects.toMatchObject({
      name: "InvalidEnvironment",
      message: expect.stringMatching(
        /35 flushed rows of default\.books, and nothing lies below other\/insert_log\/.*minio\.rootPath/,
      ),
    });
  });

  test("a name that exists is refused, and what lies there stays as it is", async () => {
    await runBackup(world.context(), input);
    const before = world.bucket("bucket-b").keys();

    await expect(prepareBackup({ ...request, execution: executionOf("again") }, world.context())).rejects.toMatchObject(
      {
        name: "BackupExists",
        message: expect.stringContaining("backup nightly exists already"),
      },
    );
    expect(world.bucket("bucket-b").keys()).toEqual(before);
  });

  test("a name that another execution is writing is refused, and given free by its release only", async () => {
    const context = world.context();
    await prepareBackup(request, context);
    world.memory.running.add(execution.id);
    const other = { ...request, execution: executionOf("other") };

    await expect(prepareBackup(other, context)).rejects.toMatchObject({
      name: "AlreadyRunning",
      message: expect.stringContaining(execution.name),
    });
    await releaseBackup({ ...other, failure: { Error: "AlreadyRunning", Cause: "" } }, context);
    await expect(prepareBackup(other, context)).rejects.toMatchObject({ name: "AlreadyRunning" });

    await releaseBackup({ ...request, failure: { Error: "States.Timeout", Cause: "" } }, context);
    await expect(prepareBackup(other, context)).resolves.toMatchObject({ outcome: "planned" });
  });

  test("an execution that gets the name just after another one finished it does not write over it", async () => {
    const context = world.context();
    const key = "backup/nightly/meta/full_meta.json";
    let looks = 0;
    const openStore: typeof context.openStore = async (ref) => {
      const store = await context.openStore(ref);
      if (ref.side !== "backup") return store;
      const head: typeof store.head = async (asked) => {
        if (asked === key) looks += 1;
        if (asked === key && looks === 2) world.bucket("bucket-b").seed(key, "{}");
        return store.head(asked);
      };
      return new Proxy(store, {
        get: (target, property) => (property === "head" ? head : Reflect.get(target, property)),
      });
    };

    await expect(prepareBackup(request, { ...context, openStore })).rejects.toMatchObject({ name: "BackupExists" });
  });
});

test("no secret of an environment reaches a file, a log or a result", async () => {
  const secret = "s3cr3t-and-nothing-else";
  const environment = world.environment("prod");
  const credentials = { kind: "static", accessKeyId: "key", secretAccessKey: secret, token: secret } as const;
  const storage = { ...environment.storage, credentials };
  world.registerAnew("prod", {
    storage,
    backupStorage: { ...environment.backupStorage, credentials },
    milvus: { ...environment.milvus, password: secret },
  });

  const result = await runBackup(world.context(), input);

  const written = [world.work, world.bucket("bucket-b")].flatMap((store) => store.keys().map((key) => store.read(key)));
  expect(JSON.stringify([result, written, world.memory.logged])).not.toContain(secret);
});
