import { beforeEach, describe, expect, test } from "vitest";
import { workLayout } from "../../../../src/core/execution/work-layout.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { segmentsOf } from "../../../../src/core/format/meta.ts";
import { parseFullMeta } from "../../../../src/core/format/meta-files.ts";
import { type BackupPlan, type PlannedCollection, plannedCollection } from "../../../../src/core/plan/backup.ts";
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
  const { batches, isL2 = false, partitionId = partition, storageVersion = "0", later = 0, channel } = seeded;
  const id = idOf(seeded.id);
  const rows = BigInt(batches.flat().length);
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
    // Rows of one key lie together: those that are drawn may all be of a backup that was imported once more.
    [
      "where those that are drawn lie in older ones, and others do not",
      [
        { id: 10, batches: [from(0, 100)] },
        { id: 11, batches: [from(1_000, 100)] },
        { id: 20, batches: [from(0, 70), from(500, 90)], isL2: true },
      ],
    ],
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
