import { describe, expect, test } from "vitest";
import { backupLayout, stagingLayout } from "../../../../src/core/format/layout.ts";
import {
  type CollectionBackup,
  collectionSchema,
  fieldSchema,
  partitionBackup,
  segmentsOf,
} from "../../../../src/core/format/meta.ts";
import { type Instant, instantOf } from "../../../../src/core/milvus/instant.ts";
import { features } from "../../../../src/core/milvus/version.ts";
import { planImports } from "../../../../src/core/plan/imports.ts";
import type { SmallPartitions } from "../../../../src/core/plan/insertions.ts";
import { outlineOf } from "../../../support/outlines.ts";
import { collectionRecord, segmentRecord } from "../../../support/segment-records.ts";

const backup = backupLayout("backup", "nightly");
const staging = stagingLayout("0123456789ab");
const inBackup = "backup/nightly/binlogs";
const staged = "milvus-backup-staging/0123456789ab";
const gibibyte = 2 ** 30;

function plan(
  collection: CollectionBackup,
  options: {
    version?: string;
    readsInPlace?: boolean;
    firstTask?: number;
    stagedAs?: number;
    laterRows?: ReadonlySet<string>;
    instant?: Instant;
    mayStream?: boolean;
    renumbered?: boolean;
    isOurs?: boolean;
    smallPartitions?: SmallPartitions;
    pairsPerJob?: number;
  } = {},
) {
  const { version = "2.3.5", readsInPlace = false, firstTask = 0, stagedAs = firstTask, laterRows, instant } = options;
  const { mayStream = true, renumbered = false, isOurs = true, smallPartitions, pairsPerJob = 256 } = options;
  const planned = planImports({
    collection: outlineOf(collection),
    backup,
    staging,
    features: features(version),
    pairsPerJob,
    readsInPlace,
    mayStream,
    firstTask,
    stagedAs,
    renumbered,
    isOurs,
    shards: collection.shards_num,
    smallPartitions,
    laterRows,
    instant,
  });
  const records = segmentsOf(collection);
  return {
    imports: planned.imports.map(({ fingerprint, directories, ...rest }) => ({
      ...rest,
      files: planned.filesOf(rest.task),
    })),
    /** The copies of all imports, in their order. */
    segments: planned.imports.flatMap(({ task }) =>
      planned.segmentsOf(task).map(({ ordinal }) => planned.copyOf(task, records[ordinal] ?? expect.fail(), ordinal)),
    ),
  };
}

/** Whether what is planned for the segments copies something, or only verifies it where it lies. */
function copies({ segments }: ReturnType<typeof plan>): boolean {
  return segments.some(({ segment }) => segment.prefixes.some(({ to }) => to !== ""));
}

function numbered(count: number, options: Parameters<typeof segmentRecord>[1] = {}) {
  return Array.from({ length: count }, (_, index) => segmentRecord(301 + index, options));
}

describe("Milvus 2.2 and 2.3, one task after another", () => {
  test("stages small segments of another bucket side by side for one task", () => {
    const planned = plan(collectionRecord([segmentRecord(301), segmentRecord(302, { deletes: true })]), {
      firstTask: 7,
    });

    expect(planned.imports).toEqual([
      {
        task: 7,
        phase: 0,
        partition: "_default",
        kind: "segments",
        storageVersion: "0",
        files: [{ insert: `${staged}/t7/insert_log/100/200/`, delta: `${staged}/t7/delta_log/100/200/` }],
        rows: "200",
        minimumRows: "120",
        hasDeletes: true,
        bytes: 6000,
      },
    ]);
    const [first, second] = planned.segments.map(({ segment }) => segment.prefixes);
    expect(first).toMatchObject([
      { kind: "insert", from: `${inBackup}/insert_log/100/200/301/301/`, to: `${staged}/t7/insert_log/100/200/301/` },
    ]);
    expect(second?.map(({ to }) => to)).toEqual([
      `${staged}/t7/insert_log/100/200/302/`,
      `${staged}/t7/delta_log/100/200/302/`,
    ]);
  });

  test("stages many small segments of the same bucket, since each task takes seconds", () => {
    const planned = plan(collectionRecord(numbered(80)), { readsInPlace: true });

    expect(planned.imports).toHaveLength(1);
    expect(copies(planned)).toBe(true);
  });

  test.each([
    ["one segment", numbered(1)],
    ["large segments", numbered(8, { bytes: gibibyte })],
  ])("reads %s of the same bucket in place, verified first", (_, segments) => {
    const planned = plan(collectionRecord(segments), { readsInPlace: true });

    expect(copies(planned)).toBe(false);
    expect(planned.segments).toHaveLength(segments.length);
    expect(planned.imports.map(({ files }) => files)).toEqual(
      segments.map(({ segment_id }) => [{ insert: `${inBackup}/insert_log/100/200/${segment_id}/`, delta: "" }]),
    );
  });

  test("a merged task has at most 2 GiB, and a larger segment is a task of its own", () => {
    const planned = plan(
      collectionRecord([...numbered(5, { bytes: 0.75 * gibibyte }), segmentRecord(400, { bytes: 3 * gibibyte })]),
    );

    expect(planned.imports.map(({ bytes }) => bytes / gibibyte)).toEqual([1.5, 1.5, 0.75, 3]);
  });

  test("segments that share a group (v0.4) are read once where they lie, and counted each", () => {
    const shared = [segmentRecord(301, { group: 7, bytes: gibibyte }), segmentRecord(302, { group: 7, deletes: true })];

    const planned = plan(collectionRecord(shared), { readsInPlace: true });

    expect(planned.imports).toMatchObject([
      {
        files: [{ insert: `${inBackup}/insert_log/100/200/7/`, delta: `${inBackup}/delta_log/100/200/7/` }],
        rows: "200",
        hasDeletes: true,
      },
    ]);
    expect(planned.segments.map(({ segment }) => segment.prefixes[0]?.from)).toEqual([
      `${inBackup}/insert_log/100/200/7/301/`,
      `${inBackup}/insert_log/100/200/7/302/`,
    ]);
  });

  test("without groups, the partition's directory is read once", () => {
    const planned = plan(collectionRecord(numbered(2, { group: 0, bytes: gibibyte })), { readsInPlace: true });

    expect(planned.imports.map(({ files }) => files)).toEqual([
      [{ insert: `${inBackup}/insert_log/100/200/`, delta: "" }],
    ]);
    expect(planned.segments[0]?.segment.prefixes[0]?.from).toBe(`${inBackup}/insert_log/100/200/301/`);
  });
});

describe("Milvus 2.3, many small segments whose logs are put together", () => {
  const instant = instantOf("463000000000000000") ?? expect.fail();
  // fields 0, 1 and 100
  const key = fieldSchema.create({ fieldID: 100n, name: "id", data_type: 5, is_primary_key: true });
  const schema = { schema: collectionSchema.create({ fields: [key] }) };
  const many = (count: number, deletes = false) =>
    collectionRecord(
      Array.from({ length: count }, (_, index) => segmentRecord(301 + index, { deletes: deletes && index % 2 === 1 })),
      schema,
    );
  const merges = ({ segments }: ReturnType<typeof plan>) =>
    segments.map(({ segment, merge }) => ({ into: merge?.into, to: segment.prefixes.map(({ to }) => to) }));
  const directoryOf = (planned: ReturnType<typeof plan>) => planned.imports[0]?.files[0]?.insert ?? "";

  test.each([true, false])("go into one directory of one task (in the same bucket: %s)", (readsInPlace) => {
    const planned = plan(many(80), { readsInPlace });

    const insert = directoryOf(planned);
    expect(insert).toMatch(new RegExp(`^${staged}/t0-[0-9a-f]{12}/insert_log/100/200/$`));
    expect(planned.imports).toMatchObject([{ rows: "8000", minimumRows: "8000", files: [{ insert, delta: "" }] }]);
    expect(merges(planned)).toEqual(Array.from({ length: 80 }, () => ({ into: "0/301", to: [`${insert}301/`] })));
    expect(planned.segments.every(({ merge }) => merge?.segments === 80)).toBe(true);
  });

  test("go there with their deletes in a cut; otherwise the keys tell who shares the directory with whom", () => {
    const [cut, uncut] = [plan(many(80, true), { instant }), plan(many(80, true))];

    expect(new Set(merges(cut).map(({ into }) => into))).toEqual(new Set(["0/301"]));
    expect(cut.imports[0]?.files[0]?.delta).toBe(directoryOf(cut).replace("insert_log", "delta_log"));
    const insert = directoryOf(uncut);
    expect(uncut.imports).toHaveLength(1);
    expect(new Set(merges(uncut).map(({ into }) => into))).toEqual(new Set(["0/301"]));
    expect(merges(uncut)[1]?.to).toEqual([`${insert}301/`, `${insert.replace("insert_log", "delta_log")}301/`]);
    const primaryKey = { id: "100", name: "id", dataType: 5 };
    expect(cut.segments.map(({ merge }) => merge?.apart)).toEqual(Array(80).fill(undefined));
    expect(uncut.segments.map(({ merge }) => merge?.apart)).toEqual(Array(80).fill({ primaryKey, byTime: true }));
  });

  test("in a cut too into a Milvus that does not hold a delete's time against the row's; it looks at nothing later than the start of the cut's millisecond", () => {
    const { segments } = plan(many(80, true), { instant, version: "2.3.4" });

    const until = ((BigInt(instant.timestamp) >> 18n) << 18n).toString();
    expect(segments[0]?.merge?.apart).toMatchObject({ byTime: false, until });
  });

  test("without deletes share it whatever is known of the instant", () => {
    expect(plan(many(80)).segments.map(({ merge }) => merge?.apart)).toEqual(Array(80).fill(undefined));
  });

  test("an import is held to the rows of all of them, but for their deletes", () => {
    const collection = many(80, true);
    const rows = (planned: ReturnType<typeof plan>) => planned.imports.map((one) => [one.rows, one.minimumRows]);

    expect(rows(plan(collection, { instant }))).toEqual(rows(plan(collection)));
    expect(rows(plan(collection, { instant }))).toEqual([["8000", "4800"]]);
  });

  test("another plan of what is put together names the directory otherwise, so that nothing lies there twice", () => {
    const [some, more, cut] = [plan(many(80, true)), plan(many(82, true)), plan(many(80, true), { instant })];

    expect(new Set([some, more, cut].map(directoryOf)).size).toBe(3);
    expect(directoryOf(plan(many(80, true)))).toBe(directoryOf(some));
  });

  test("no directory has other segments in a plan that puts nothing together, though its tasks have other numbers", () => {
    const small = segmentRecord(302, { logsPerField: 100 });
    const others = Array.from({ length: 80 }, (_, index) =>
      segmentRecord(401 + index, { bytes: 50 * 2 ** 20, partition: 201n }),
    );
    const of = (id: bigint, segments: ReturnType<typeof numbered>) =>
      partitionBackup.create({
        ...{ partition_id: id, partition_name: `p${id}`, collection_id: 100n, segment_backups: segments },
      });
    const collection = collectionRecord([], {
      ...schema,
      partition_backups: [of(200n, [segmentRecord(301, { bytes: gibibyte }), small]), of(201n, others)],
    });
    const directories = (mayStream: boolean) => {
      const tos = plan(collection, { readsInPlace: true, mayStream }).segments.flatMap(({ segment }) =>
        segment.prefixes.flatMap(({ to }) => (to === "" ? [] : [to.split("/").slice(0, -2).join("/")])),
      );
      return Map.groupBy(tos, (to) => to);
    };

    const [apart, together] = [directories(false), directories(true)];

    expect([apart.size, together.size]).toEqual([2, 3]);
    expect([...together.keys()].filter((directory) => apart.has(directory))).toEqual([]);
    expect([...apart.keys()]).toEqual([2, 3].map((task) => `${staged}/t${task}/insert_log/100/201`));
  });

  test("another collection behind one that is put together has directories of its own, too", () => {
    const [alone, behind] = [
      plan(collectionRecord(numbered(2))),
      plan(collectionRecord(numbered(2)), { renumbered: true }),
    ];

    expect(directoryOf(alone)).toBe(`${staged}/t0/insert_log/100/200/`);
    expect(directoryOf(behind)).toMatch(new RegExp(`^${staged}/t0-[0-9a-f]{12}/`));
  });

  test("a collection under a second name reads what the first one has staged", () => {
    const [first, second] = [plan(many(80)), plan(many(80), { firstTask: 1, stagedAs: 0 })];

    expect(second.imports[0]?.files).toEqual(first.imports[0]?.files);
  });

  test("are copied side by side where no bytes may pass through here (copyMode server-side)", () => {
    const planned = plan(many(80), { mayStream: false });

    expect(directoryOf(planned)).toBe(`${staged}/t0/insert_log/100/200/`);
    expect(planned.segments.some(({ merge }) => merge)).toBe(false);
  });

  test("are read one by one by Milvus 2.4", () => {
    expect(plan(many(80), { version: "2.4.0", instant }).segments.some(({ merge }) => merge)).toBe(false);
  });
});

describe("Milvus 2.4 and newer, jobs of many pairs", () => {
  const version = "2.4.0";

  test("a job has at most 1,024 segments after Milvus has listed its directories", () => {
    const groups = Array.from({ length: 9 }, (_, group) =>
      Array.from({ length: 300 }, (_, index) => segmentRecord(10_000 + 1000 * group + index, { group: 7 + group })),
    );

    const planned = plan(collectionRecord(groups.flat()), { version, readsInPlace: true });

    expect(planned.imports.map(({ files, rows }) => [files.length, rows])).toEqual([
      [3, "90000"],
      [3, "90000"],
      [3, "90000"],
    ]);
    expect(copies(planned)).toBe(false);
  });

  test("a directory of more segments than a job may have is staged, segment by segment; the others are read in place", () => {
    const large = Array.from({ length: 1025 }, (_, index) => segmentRecord(10_000 + index, { group: 7 }));

    const planned = plan(collectionRecord([...large, ...numbered(2)]), { version, readsInPlace: true });

    const [inPlace, ...staging] = planned.imports;
    expect(inPlace?.files.map(({ insert }) => insert)).toEqual([
      `${inBackup}/insert_log/100/200/301/`,
      `${inBackup}/insert_log/100/200/302/`,
    ]);
    expect(staging.map(({ files }) => files.length)).toEqual([256, 256, 256, 256, 1]);
    expect(planned.imports.reduce((sum, { rows }) => sum + Number(rows), 0)).toBe(102_700);
    expect(planned.segments.filter(({ segment }) => segment.prefixes[0]?.to !== "")).toHaveLength(1025);
  });

  test("a job has at most 256 pairs", () => {
    const planned = plan(collectionRecord(numbered(600)), { version, readsInPlace: true });

    expect(planned.imports.map(({ files }) => files.length)).toEqual([256, 256, 88]);
    expect(copies(planned)).toBe(false);
  });

  test.each([7, 0])("staged segments of one group (%i) count as pairs each", (group) => {
    const planned = plan(collectionRecord(numbered(600, { group })), { version });

    expect(planned.imports.map(({ files }) => files.length)).toEqual([256, 256, 88]);
    const targets = planned.segments.flatMap(({ segment }) => segment.prefixes.map(({ to }) => to));
    expect(new Set(targets).size).toBe(600);
  });

  test("each storage version has jobs of its own", () => {
    const planned = plan(collectionRecord([...numbered(2), segmentRecord(400, { storageVersion: 2 })]), {
      version: "2.6.0",
    });

    expect(planned.imports.map(({ storageVersion, files }) => [storageVersion, files.length])).toEqual([
      ["0", 2],
      ["2", 1],
    ]);
  });

  test("deletes in L0 segments follow the data: those of a partition, then those of all", () => {
    const collection = collectionRecord(
      [...numbered(2), segmentRecord(401, { isL0: true }), segmentRecord(402, { isL0: true })],
      {
        l0_segments: [segmentRecord(500, { isL0: true, partition: -1n, group: 0 })],
      },
    );

    const planned = plan(collection, { version, readsInPlace: true });

    expect(
      planned.imports.map(({ phase, kind, partition, files, rows }) => ({ phase, kind, partition, files, rows })),
    ).toMatchObject([
      { phase: 0, kind: "segments", partition: "_default", rows: "200" },
      {
        phase: 1,
        kind: "l0",
        partition: "_default",
        files: [{ insert: "", delta: `${inBackup}/delta_log/100/200/401/` }],
        rows: "0",
      },
      {
        phase: 1,
        kind: "l0",
        partition: "_default",
        files: [{ insert: "", delta: `${inBackup}/delta_log/100/200/402/` }],
      },
      { phase: 2, kind: "l0", partition: "", files: [{ insert: "", delta: `${inBackup}/delta_log/100/-1/500/` }] },
    ]);
    expect(planned.imports.map(({ task }) => task)).toEqual([0, 1, 2, 3]);
  });

  test("from 2.6.5 on one job takes many L0 segments", () => {
    const l0 = Array.from({ length: 3 }, (_, index) => segmentRecord(401 + index, { isL0: true }));

    expect(plan(collectionRecord(l0), { version: "2.6.4" }).imports).toHaveLength(3);
    expect(plan(collectionRecord(l0), { version: "2.6.5" }).imports).toHaveLength(1);
  });
});

test("rows without logs are kept, so that the check of what lies in the backup finds them", () => {
  const damaged = { ...segmentRecord(301), binlogs: [] };

  const planned = plan(collectionRecord([damaged]));

  expect(planned.segments[0]?.segment).toMatchObject({ rows: "100", prefixes: [{ kind: "insert", expect: [] }] });
});

test("a segment without rows and logs needs neither import nor copy", () => {
  expect(plan(collectionRecord([{ ...segmentRecord(301, { rows: 0 }), binlogs: [] }]))).toEqual({
    imports: [],
    segments: [],
  });
});

describe("segments without deletes", () => {
  const mixed = (count: number, bytes: number) =>
    collectionRecord(
      Array.from({ length: count }, (_, index) => segmentRecord(301 + index, { bytes, deletes: index % 2 === 1 })),
    );
  const exact = ({ imports }: ReturnType<typeof plan>) => imports.map(({ rows, minimumRows }) => rows === minimumRows);

  test("are jobs of their own on 2.4 and newer, which runs them side by side", () => {
    expect(exact(plan(mixed(4, 3000), { version: "2.4.0", readsInPlace: true }))).toEqual([true, false]);
  });

  test("share jobs with others where many partitions would make too many jobs", () => {
    const [partition] = mixed(4, 3000).partition_backups;
    const many = collectionRecord([], {
      partition_backups: Array.from({ length: 300 }, () => partition ?? expect.fail()),
    });

    expect(plan(many, { version: "2.4.0", readsInPlace: true }).imports).toHaveLength(300);
  });

  test("are tasks of their own on 2.3 where that adds little to the time", () => {
    // 7.5 GiB: 40 s of copying, and no more tasks than without
    expect(exact(plan(mixed(20, 0.375 * gibibyte)))).toEqual([true, true, false, false]);
    // a second task of 2 s for what takes less to copy
    expect(exact(plan(mixed(4, 3000)))).toEqual([false]);
  });
});

describe("the rows that an import must bring", () => {
  const minimum = (collection: CollectionBackup, laterRows: readonly string[] = []) =>
    plan(collection, { laterRows: new Set(laterRows) }).imports.map(({ rows, minimumRows }) => [rows, minimumRows]);

  test("are all, but for those that deletes of the delta logs' size can take away", () => {
    const rows = segmentRecord(301).num_of_rows;
    const [whole, deleted] = [segmentRecord(301), segmentRecord(302, { deletes: true })];
    const many = { ...deleted, num_of_rows: 1_000_000n };

    expect(minimum(collectionRecord([whole]))).toEqual([[`${rows}`, `${rows}`]]);
    const [[, least] = []] = minimum(collectionRecord([many]));
    expect(BigInt(least ?? 0)).toBeGreaterThan(900_000n);
    expect(BigInt(least ?? 0)).toBeLessThan(1_000_000n);
  });

  test("are not those of a segment that the flush sealed, which may all be from after the instant", () => {
    const rows = segmentRecord(301).num_of_rows;

    expect(minimum(collectionRecord([segmentRecord(301), segmentRecord(302)]), ["301"])).toEqual([
      [`${rows * 2n}`, `${rows}`],
    ]);
  });
});
