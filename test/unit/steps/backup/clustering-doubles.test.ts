import { beforeEach, describe, expect, test } from "vitest";
import { workLayout } from "../../../../src/core/execution/work-layout.ts";
import { backupLayout, milvusLayout } from "../../../../src/core/format/layout.ts";
import { segmentsOf } from "../../../../src/core/format/meta.ts";
import { parseFullMeta } from "../../../../src/core/format/meta-files.ts";
import { type BackupPlan, type PlannedCollection, plannedCollection } from "../../../../src/core/plan/backup.ts";
import { ClusteringDoubles } from "../../../../src/steps/backup/clustering-doubles.ts";
import { prepareBackup } from "../../../../src/steps/backup/prepare-backup.ts";
import { payloadOf } from "../../../support/binlog-writer.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { FaultInjector, type FaultMoment } from "../../../support/fault-injector.ts";
import type { MemorySegment } from "../../../support/memory-milvus/collection.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { tick } from "../../../support/row-backup.ts";
import { executionOf, runBackup } from "../../../support/run-machines.ts";

const execution = executionOf("nightly-1");
const layout = workLayout("backup", execution.name);
const input = { environment: "prod", backupName: "nightly" };
const request = { execution, input, attempt: 0 };
const name = { database: "default", collection: "docs" };
const docs = "470000000000000500";
const [partition, other] = ["470000000000000600", "470000000000000601"] as const;

interface Seeded {
  /** Two digits. */
  readonly id: number;
  /** Of each batch the row IDs; a row's timestamp follows from it. */
  readonly batches: readonly (readonly number[])[];
  readonly isL2?: boolean;
  readonly partitionId?: string;
  readonly storageVersion?: string;
  /** Ticks that the rows are later than others of their ID. */
  readonly later?: number;
  /** How many rows Milvus says that it has, where its logs have others. */
  readonly says?: number;
  /** Milvus names its logs. */
  readonly channel?: string;
}

const idOf = (id: number) => `4700000000000007${id}`;
const from = (first: number, count: number, step = 1) => Array.from({ length: count }, (_, at) => first + at * step);

let world: PipelineWorld;

beforeEach(() => {
  world = newWorld();
});

function newWorld(version = "2.5.4"): PipelineWorld {
  const made = new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup", milvus: { version } },
  });
  made.milvus("prod").addCollection(collectionDescription("docs", { id: docs }), {
    partitions: [
      { id: partition, name: "_default" },
      { id: other, name: "other" },
    ],
  });
  return made;
}

/** A segment with the rows, in binlogs as Milvus writes them. */
function segmentOf(seeded: Seeded, into = world): MemorySegment {
  const { batches, isL2 = false, partitionId = partition, storageVersion = "0", later = 0, says, channel } = seeded;
  const id = idOf(seeded.id);
  const rows = BigInt(says ?? batches.flat().length);
  into.seedSegment("prod", { collectionId: docs, partitionId, id, rows });
  for (const [index, batch] of batches.entries()) {
    const fields = [
      { fieldId: "0", values: batch.map(BigInt) },
      { fieldId: "1", values: batch.map((row) => tick(row + later)) },
    ];
    for (const { fieldId, values } of fields) {
      const key = `insert_log/${docs}/${partitionId}/${id}/${fieldId}/${index + 1}${id}`;
      into.seedPayload(
        "prod",
        { key, id, fieldId: BigInt(fieldId), dataType: 5 },
        payloadOf({ type: "int64", values }),
      );
    }
    for (const fieldId of index === 0 ? [] : ["100", "101"]) {
      const key = `files/insert_log/${docs}/${partitionId}/${id}/${fieldId}/${index + 1}${id}`;
      into.bucket("bucket-a").seed(key, `rows of field ${fieldId} of ${id}`);
    }
  }
  const logIds = batches.map((_, index) => `${index + 1}${id}`);
  const logs = {
    segmentId: id,
    virtualChannel: channel ?? "",
    insertLogs: ["0", "1", "100", "101"].map((fieldId) => ({ fieldId, logIds })),
    deltaLogs: [],
  };
  return {
    ...{ id, collectionId: docs, partitionId, rows, state: "Flushed", isL0: false, isL2, storageVersion },
    ...(channel !== undefined && { logs }),
  };
}

function seed(...segments: readonly Seeded[]): void {
  world.milvus("prod").setSegments(
    name,
    segments.map((segment) => segmentOf(segment)),
  );
}

/** Rows 0 to 39 in two segments, and what a clustering compaction made of them; row 3 was deleted before. */
const inputs: readonly Seeded[] = [
  { id: 10, batches: [from(0, 10), from(10, 10)] },
  { id: 11, batches: [from(20, 20)] },
];
const results: readonly Seeded[] = [
  { id: 20, batches: [from(0, 20, 2)], isL2: true },
  { id: 21, batches: [from(5, 10, 2), from(25, 8, 2), [1]], isL2: true },
];

function plan(of = world): BackupPlan {
  return JSON.parse(of.work.read(layout.plan) ?? "null");
}

function planned(of = world): PlannedCollection {
  return plannedCollection.parse(JSON.parse(of.work.read(layout.collection(0, 0)) ?? "null"));
}

async function taken(context = world.context()): Promise<readonly number[]> {
  await prepareBackup(request, context);
  return planned().segments.map(({ id }) => Number(id.slice(-2)));
}

const flushes = () => world.milvus("prod").calls.filter((call) => call === "flush default.docs").length;

describe("a clustering compaction that is under way", () => {
  test("leaves a backup without its results: what it is made of is there", async () => {
    seed(...inputs, ...results);

    expect(await taken()).toEqual([10, 11]);
    expect(plan().totals.rows).toBe("40");
    expect(plan().warnings).toEqual([]);
    expect(flushes()).toBe(1);
  });

  test("leaves one without them that takes what is sealed already", async () => {
    seed(...inputs, ...results);
    await prepareBackup({ ...request, input: { ...input, strategy: "skip_flush" } }, world.context());

    expect(planned().segments.map(({ id }) => id)).toEqual([idOf(10), idOf(11)]);
  });

  test("of what another one made before leaves that in it", async () => {
    const again = { id: 30, batches: [from(4, 30)], isL2: true };
    seed(...results, again);

    expect(await taken()).toEqual([20, 21]);
  });

  test("is a backup with each row once to its end", async () => {
    seed(...inputs, ...results, { id: 30, batches: [from(100, 5)] });

    await runBackup(world.context(), input, execution);

    const bucket = world.bucket("bucket-b");
    const { value } = parseFullMeta(bucket.read(backupLayout("backup", "nightly").meta.full_meta) ?? "");
    const segments = value.collection_backups.flatMap(segmentsOf);
    expect(segments.map(({ segment_id, num_of_rows }) => [String(segment_id), Number(num_of_rows)])).toEqual([
      [idOf(10), 20],
      [idOf(11), 20],
      [idOf(30), 5],
    ]);
    expect(bucket.keys().filter((key) => key.includes(idOf(20)) || key.includes(idOf(21)))).toEqual([]);
  });

  test("is looked for below the channel of its segments, in the logs that Milvus names", async () => {
    world = newWorld("2.5.20");
    const [a, b] = ["by-dev-rootcoord-dml_0_500v0", "by-dev-rootcoord-dml_1_500v1"];
    // Rows of two shards in place of two partitions: row IDs are given out for both of them.
    seed(
      ...inputs.map((segment) => ({ ...segment, channel: a })),
      ...results.map((segment) => ({ ...segment, channel: a })),
      { id: 12, batches: [from(200, 4)], channel: b },
      { id: 22, batches: [from(200, 4)], channel: a, isL2: true },
    );
    // a log that a writer left which was killed: it is none of the segment's
    world.bucket("bucket-a").seed(`files/insert_log/${docs}/${partition}/${idOf(10)}/0/77`, "half a log");

    expect(await taken()).toEqual([10, 11, 12, 22]);
    expect(plan().warnings).toEqual([]);
  });

  /** The compaction is over by the time of a list of segments. */
  function endsAtList(nth: number, collected: boolean): void {
    const milvus = world.milvus("prod");
    const list = milvus.listSegments.bind(milvus);
    let lists = 0;
    milvus.listSegments = async (of) => {
      lists += 1;
      if (lists === nth)
        milvus.setSegments(
          name,
          results.map((segment) => segmentOf(segment)),
        );
      const listed = await list(of);
      // between a list and the look at its logs
      if (lists === nth - 1 && collected) for (const { id } of inputs) world.collectSegment("prod", docs, idOf(id));
      return listed;
    };
  }

  test.each([{ collected: false }, { collected: true }])(
    "and ends while its rows are looked at is looked at anew: %o",
    async ({ collected }) => {
      seed(...inputs, ...results);
      endsAtList(2, collected);

      expect(await taken()).toEqual([20, 21]);
      // the second flush named what was dropped before the list
      expect(flushes()).toBe(collected ? 3 : 2);
    },
  );

  test("that takes its inputs' logs away before anybody says so is given up at last", async () => {
    seed(...inputs, ...results);
    for (const { id } of inputs) world.collectSegment("prod", docs, idOf(id));

    await expect(prepareBackup(request, world.context())).rejects.toMatchObject({ name: "InconsistentSegments" });
  });
});

describe("segments of level 2 are taken", () => {
  test("where their compaction is over", async () => {
    seed(...results);

    expect(await taken()).toEqual([20, 21]);
    expect(plan().warnings).toEqual([]);
  });

  test("without a look where what is older has fewer rows", async () => {
    seed({ id: 10, batches: [from(50, 5)] }, ...results.slice(0, 1), { id: 30, batches: [from(100, 60)] });
    const unread = async () => Promise.reject(new Error("nothing is to be read"));

    expect(await taken({ ...world.context(), payloads: unread })).toEqual([10, 20, 30]);
  });

  test.each<[string, readonly Seeded[]]>([
    ["beside older segments with other rows", [{ id: 10, batches: [from(100, 50)] }, ...results]],
    // A backup that was imported twice repeats row IDs and timestamps.
    ["beside newer segments with the same rows", [...results, { id: 30, batches: [from(0, 40)] }]],
    ["where some of their rows lie in older ones", [{ id: 10, batches: [from(0, 5), from(100, 30)] }, ...results]],
    ["beside rows with the same IDs of another time", [{ id: 10, batches: [from(0, 40)], later: 1000 }, ...results]],
    ["beside the same rows in another partition", [{ id: 10, batches: [from(0, 40)], partitionId: other }, ...results]],
  ])("%s", async (_, segments) => {
    seed(...segments);

    expect([...(await taken())].sort()).toEqual(segments.map(({ id }) => id));
    expect(plan().warnings).toEqual([]);
  });
});

const warning = (...segments: readonly number[]) =>
  "default.docs: a clustering compaction may be under way, and nobody can tell whether its results are among these segments: " +
  `${segments.map(idOf).join(", ")}. All are in the backup, which then holds rows twice: start it again when the compaction is over`;

const partial = (...segments: readonly (readonly [number, number])[]) =>
  `default.docs: ${segments.map(([id, rows]) => `segment ${idOf(id)} has ${rows} rows that other segments have too`).join(", ")}. ` +
  "Rows of its own are not in those, so all are in the backup, which may hold rows twice";

describe("a segment of level 2 with more rows than are drawn", () => {
  /** 200 rows in two segments. */
  const older: readonly Seeded[] = [
    { id: 10, batches: [from(0, 60), from(60, 60)] },
    { id: 11, batches: [from(120, 80)] },
  ];

  test("is left out where every one of them lies in others", async () => {
    seed(...older, { id: 20, batches: [from(0, 100), from(100, 99)], isL2: true });

    expect(await taken()).toEqual([10, 11]);
    expect(plan().warnings).toEqual([]);
  });

  // the smaller one is drawn from
  test.each<[string, readonly (readonly number[])[], number]>([
    ["one row of the log that some are drawn from", [from(0, 100), [...from(100, 69), 999]], 169],
    ["one row of another log", [from(0, 70), [...from(70, 99), 999]], 169],
    // Rows of one key lie together: those that are drawn may all be of a backup that was imported once more.
    ["another log", [from(0, 70), from(500, 90)], 70],
  ])("is taken where %s lies in none, and nothing is lost", async (_, batches, found) => {
    seed(...older, { id: 20, batches, isL2: true });

    expect(await taken()).toEqual([10, 11, 20]);
    expect(plan().totals.rows).toBe(String(200 + batches.flat().length));
    expect(plan().warnings).toEqual([partial([20, found])]);
  });

  test("is taken where the row that lies in none differs from one there in its time alone", async () => {
    seed(
      { id: 10, batches: [from(0, 100)] },
      { id: 11, batches: [[100]], later: 1 },
      {
        ...{ id: 20, batches: [from(0, 101)], isL2: true },
      },
    );

    expect(await taken()).toEqual([10, 11, 20]);
    expect(plan().warnings).toEqual([partial([20, 100])]);
  });

  test.each<[string, readonly number[], readonly number[], boolean]>([
    ["as often in others", [...from(0, 100), 5], [5], true],
    ["more often in others", from(0, 100), [5, 5], true],
    ["less often in others", [...from(0, 100), 5], [500], false],
  ])("that repeats a row which is %s", async (_, rows, more, isDouble) => {
    seed({ id: 10, batches: [from(0, 100)] }, { id: 11, batches: [more] }, { id: 20, batches: [rows], isL2: true });

    expect(await taken()).toEqual(isDouble ? [10, 11] : [10, 11, 20]);
    expect(plan().warnings).toEqual(isDouble ? [] : [partial([20, 100])]);
  });

  test("is left out where one of its rows lies only in another one, which is taken", async () => {
    const first = { id: 20, batches: [[...from(0, 99), 800]], isL2: true };
    seed({ id: 10, batches: [from(0, 120)] }, first, { id: 21, batches: [[...from(20, 100), 800]], isL2: true });

    expect(await taken()).toEqual([10, 20]);
    expect(plan().warnings).toEqual([partial([20, 99])]);
  });

  test.each([60, 100, 200, 1000])("is proven beside others, with %d rows in memory at once", async (mostRows) => {
    const segments = [
      ...older,
      { id: 20, batches: [from(0, 100, 2)], isL2: true },
      { id: 21, batches: [from(1, 99, 2)], isL2: true },
      { id: 22, batches: [[...from(1, 70), 900]], isL2: true },
      { id: 23, batches: [from(0, 50)], isL2: true },
    ].map((segment) => segmentOf(segment));
    const { clock, payloads } = world.context();
    const places = { store: world.bucket("bucket-a"), from: milvusLayout("files") };
    const doubles = new ClusteringDoubles({ ...{ version: "2.5.4", places, payloads, clock }, mostRows });
    const found = await doubles.find(segments, new Map());

    const isTooMany = mostRows === 60;
    expect([...found.doubles]).toEqual((isTooMany ? [23] : [20, 21, 23]).map(idOf));
    expect([...found.holders].filter((id) => found.doubles.has(id))).toEqual([]);
    expect(found.holders.size).toBeGreaterThan(0);
    expect(found.unclear).toEqual(isTooMany ? [20, 21, 22].map(idOf) : []);
    expect(found.partial).toEqual(isTooMany ? [] : [{ id: idOf(22), rows: "70" }]);
  });

  test("is taken with a warning where it is too large for the memory", async () => {
    seed(
      { id: 10, batches: [from(0, 100)], says: 9_000_000 },
      {
        ...{ id: 20, batches: [from(0, 100)], isL2: true, says: 8_000_001 },
      },
    );

    expect(await taken()).toEqual([10, 20]);
    expect(plan().warnings).toEqual([warning(20)]);
  });

  test.each([99, 101])(
    "is taken with a warning where Milvus says that it has %d rows, and its logs have 100",
    async (says) => {
      seed({ id: 10, batches: [from(0, 150)] }, { id: 20, batches: [from(0, 100)], isL2: true, says });

      expect(await taken()).toEqual([10, 20]);
      expect(plan().warnings).toEqual([warning(20)]);
    },
  );

  /** Something happens as often as a log is read. */
  function atRead(of: number, happens: (nth: number) => void | Promise<void>): void {
    const bucket = world.bucket("bucket-a");
    const getBytes = bucket.getBytes.bind(bucket);
    let reads = 0;
    bucket.getBytes = async (key) => {
      if (key.includes(`/${idOf(of)}/0/`)) {
        reads += 1;
        await happens(reads);
      }
      return getBytes(key);
    };
  }

  test.each([
    [10, 3],
    [11, 2],
    [20, 2],
    [20, 3],
  ])("whose segment %d vanishes at read %d of it is listed and looked at anew", async (id, at) => {
    seed(...older, { id: 20, batches: [from(0, 100), from(100, 99)], isL2: true });
    const kept = id === 20 ? older : [{ id: 30, batches: [from(0, 100), from(100, 99)], isL2: true }];
    atRead(id, (nth) => {
      if (nth !== at) return;
      for (const gone of id === 20 ? [20] : [10, 11, 20]) world.collectSegment("prod", docs, idOf(gone));
      world.milvus("prod").setSegments(
        name,
        kept.map((segment) => segmentOf(segment)),
      );
    });

    expect(await taken()).toEqual(kept.map((segment) => segment.id));
    expect(plan().totals.rows).toBe(id === 20 ? "200" : "199");
    expect(plan().warnings).toEqual([]);
  });

  test.each([
    [10, 3],
    [20, 2],
  ])("is taken with a warning where the time is over at segment %d, read %d", async (id, at) => {
    seed(...older, { id: 20, batches: [from(0, 100), from(100, 99)], isL2: true });
    atRead(id, async (nth) => void (nth === at && (await world.memory.clock.sleep(180_000))));

    expect(await taken()).toEqual([10, 11, 20]);
    expect(plan().warnings).toEqual([warning(20)]);
  });
});

describe("Milvus 2.4, whose IDs do not tell what is the result,", () => {
  beforeEach(() => {
    world = newWorld("2.4.17");
  });

  test.each<[string, readonly Seeded[]]>([
    ["smaller", results],
    ["larger", results.map((segment) => ({ ...segment, id: segment.id + 30 }))],
  ])("under a compaction whose results have %s IDs is taken whole, with a warning", async (_, made) => {
    seed(...made, ...inputs.map((segment) => ({ ...segment, id: segment.id + 20 })));

    expect((await taken()).length).toBe(4);
    expect(plan().warnings).toEqual([warning(...made.map(({ id }) => id))]);
  });

  test("without one is taken without a warning", async () => {
    seed(...results, { id: 30, batches: [from(100, 50)] });

    expect(await taken()).toEqual([20, 21, 30]);
    expect(plan().warnings).toEqual([]);
  });
});

describe("what cannot be read", () => {
  test.each<[string, readonly Seeded[]]>([
    ["of the results", [...inputs, ...results.map((segment) => ({ ...segment, storageVersion: "2" }))]],
    ["of the inputs", [...inputs.map((segment) => ({ ...segment, storageVersion: "2" })), ...results]],
  ])("%s, in packed storage, is taken with a warning", async (_, segments) => {
    seed(...segments);

    expect(await taken()).toEqual([10, 11, 20, 21]);
    expect(plan().warnings).toEqual([warning(20, 21)]);
  });

  test("in packed storage is taken without one where the numbers of rows say that it is over", async () => {
    seed({ id: 20, batches: [from(0, 20)], isL2: true, storageVersion: "2" });

    expect(await taken()).toEqual([20]);
    expect(plan().warnings).toEqual([]);
  });

  test("is a broken log too", async () => {
    seed(...inputs, ...results);
    world.bucket("bucket-a").seed(`files/insert_log/${docs}/${partition}/${idOf(20)}/0/1${idOf(20)}`, "no binlog");

    expect(await taken()).toEqual([10, 11, 20]);
    expect(plan().warnings).toEqual([warning(20)]);
  });

  test("in three minutes is taken with a warning, and the backup goes on", async () => {
    seed(...inputs, ...results);
    const bucket = world.bucket("bucket-a");
    const getBytes = bucket.getBytes.bind(bucket);
    bucket.getBytes = async (key) => {
      await world.memory.clock.sleep(60_000);
      return getBytes(key);
    };

    expect(await taken()).toEqual([10, 11, 20, 21]);
    expect(plan().warnings).toEqual([warning(20, 21)]);
  });

  test("of the store fails the step", async () => {
    seed(...inputs, ...results);
    const bucket = world.bucket("bucket-a");
    bucket.getBytes = async () => Promise.reject(new Error("no answer"));

    await expect(prepareBackup(request, world.context())).rejects.toThrow("no answer");
  });
});

test.each<FaultMoment>(["before", "after"])(
  "a fault %s any call is survived by running the step again",
  async (moment) => {
    const seeded = () => {
      world = newWorld();
      seed(...inputs, ...results);
      return world;
    };
    const undisturbed = new FaultInjector();
    await prepareBackup(request, seeded().context(undisturbed));
    const expected = planned().segments;
    expect(undisturbed.calls.filter((call) => call.startsWith("bucket-a.getBytes")).length).toBeGreaterThan(4);

    for (let at = 0; at < undisturbed.calls.length; at += 1) {
      const context = seeded().context(new FaultInjector(at, moment));
      await prepareBackup(request, context).catch(() => prepareBackup(request, context));

      expect(planned().segments, undisturbed.calls[at]).toEqual(expected);
    }
  },
);
