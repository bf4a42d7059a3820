import { beforeEach, describe, expect, test } from "vitest";
import type { VerifyInput } from "../../../../src/core/execution/messages.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { parseVerificationProof } from "../../../../src/core/format/proof.ts";
import { binlogOf, payloadOf } from "../../../support/binlog-writer.ts";
import { FaultInjector } from "../../../support/fault-injector.ts";
import { seedGolden } from "../../../support/golden-backup.ts";
import { goldenRows } from "../../../support/golden-rows.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { type SeededCollection, type SeededRow, sealRows, seedRows } from "../../../support/row-backup.ts";
import { type ExecutionFailed, executionOf, runVerify } from "../../../support/run-machines.ts";

const layout = backupLayout("backup", "b");
const row = (id: number, at: number, text?: string): SeededRow => ({ id, at, text });
const ids = (from: number, to: number, at = 10) =>
  Array.from({ length: to - from }, (_, index) => row(from + index, at));
const logOf = (segment: number, field: number, log = 900) =>
  `backup/b/binlogs/insert_log/100/200/${segment}/${segment}/${field}/${log}`;
const directoryOf = (segment: number) => `backup/b/binlogs/insert_log/100/200/${segment}/${segment}/`;

let world: PipelineWorld;

const bucket = () => world.bucket("bucket-b");
const verify = (input: Partial<VerifyInput> = {}, run = "verify-1", faults = new FaultInjector(), retries = 0) =>
  runVerify(world.context(faults), { environment: "prod", backupName: "b", rows: 100, ...input }, executionOf(run), {
    retries,
  });
const problemsOf = (run = "verify-1") =>
  (world.work.read(`executions/verify/${run}/problems/0.jsonl`) ?? "")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { key: string; kind: string; detail: string });
const proof = () => parseVerificationProof(bucket().read(layout.verified) ?? "");

/** Lays down a backup that knows its instant, as our own do, or one of another tool. */
async function seed(collection: SeededCollection): Promise<void> {
  seedRows(bucket(), "b", collection);
  if (collection.until !== undefined) await sealRows(bucket(), "b", collection.until);
}

/** The problems of one that must not pass. */
async function failed(input: Partial<VerifyInput> = {}, run = "verify-1") {
  const error = await verify(input, run).then(
    () => expect.unreachable("it passed"),
    (thrown: ExecutionFailed) => thrown,
  );
  expect(error.name, error.message).toBe("CorruptBackup");
  return problemsOf(run);
}

/** Puts other rows in the place of a log of one field; what the metas and the manifest say of it follows. */
async function replaceLog(key: string, bytes: Buffer, collection: SeededCollection): Promise<void> {
  const before = bucket().bytes(key)?.length;
  bucket().seed(key, bytes);
  const meta = bucket().read(layout.meta.full_meta) ?? "";
  const name = key.slice(key.lastIndexOf("/") + 1);
  const field = Number(key.split("/").at(-2));
  expect(meta).toContain(`"log_size":${before},"log_id":${name}`);
  bucket().seed(layout.meta.full_meta, withLogSize(meta, { field, name, size: bytes.length }));
  if (collection.until !== undefined) await sealRows(bucket(), "b", collection.until);
}

function withLogSize(meta: string, log: { field: number; name: string; size: number }): string {
  return meta.replace(
    new RegExp(`("fieldID":${log.field},"binlogs":\\[.*?"log_size":)\\d+(,"log_id":${log.name}\\b)`),
    `$1${log.size}$2`,
  );
}

beforeEach(() => {
  world = new PipelineWorld();
});

describe("rows that are right", () => {
  test("are counted, living ones at the instant told, and only what was looked at is said", async () => {
    await seed({
      until: 50,
      segments: [
        { id: 1, batches: [ids(0, 3), ids(3, 5)], deletes: [[1, 20]] },
        { id: 2, batches: [[row(9, 10), row(10, 60), row(2, 30)]] },
        { id: 3, partition: "hot", batches: [ids(20, 24)] },
        {
          id: 4,
          isL0: "all",
          deletes: [
            [20, 40],
            [21, 60],
          ],
        },
      ],
    });

    const result = await verify();

    expect(result).toMatchObject({
      outcome: "verified",
      depth: "size",
      percent: 0,
      // 1 is deleted, 10 is of after the instant, 20 is deleted by the L0 segment; 2 lives twice
      rows: {
        percent: 100,
        segments: 3,
        rows: 12,
        living: 9,
        collections: [{ collection: "default.coll", rows: 12, living: 9, repeated: 1 }],
      },
    });
    expect(result.warnings).toEqual([
      "living rows of default.coll with a key that another one has: 1; Milvus permits that where keys are given to it",
    ]);
    expect(proof()?.last).toMatchObject({
      outcome: "passed",
      depth: "size",
      rows: { percent: 100, rows: 12, living: 9 },
    });
  });

  test("with every content read they are the depth rows", async () => {
    await seed({ until: 50, segments: [{ id: 1, batches: [ids(0, 3)] }] });

    expect(await verify({ readData: 100 })).toMatchObject({ depth: "rows", percent: 100, warnings: [] });
    expect(proof()?.last).toMatchObject({ depth: "rows", rows: { percent: 100 } });
  });

  test("of a backup of milvus-backup pass too: real binlogs of every type", async () => {
    seedGolden(bucket(), "golden");

    const result = await verify({ backupName: "golden" });

    expect(result.rows).toMatchObject({ percent: 100 });
    const living = result.rows?.collections.map((one) => [one.collection, one.living, one.repeated]);
    const answered = Object.entries(goldenRows).map(([name, { rows }]) => [name, rows.length, 0]);
    expect(living?.sort()).toEqual(answered.sort());
  });

  test("of many collections in one batch: nothing of one is held while another is read", async () => {
    seedGolden(bucket(), "golden");
    const calls = new FaultInjector();

    await verify({ backupName: "golden" }, "verify-1", calls);

    // the batch is read from its first log on: what is written between two collections is the first one's keys
    const seen = calls.calls.flatMap((call) => {
      const [, log] = /getBytes .*insert_log\/(\d+)\//.exec(call) ?? [];
      const isRun = /upload of executions\/verify\/verify-1\/keys\/.*\.finish/.test(call);
      return log !== undefined ? [`reads ${log}`] : isRun ? ["writes keys"] : [];
    });
    const steps = seen.filter((step, index) => step !== seen[index - 1]);
    const collections = new Set(steps.filter((step) => step !== "writes keys"));
    expect(collections.size).toBeGreaterThan(2);
    expect(steps).toEqual([...collections].flatMap((reads) => [reads, "writes keys"]));
  });

  test("a sample reads some segments whole, others with another execution, and says so", async () => {
    const segments = Array.from({ length: 20 }, (_, index) => ({
      id: index + 1,
      batches: [ids(index * 10, index * 10 + 10)],
    }));
    await seed({ until: 50, segments });

    const first = await verify({ rows: 30 }, "one");
    const again = await verify({ rows: 30 }, "two");

    expect(first.rows).toMatchObject({ percent: 30, segments: 6, rows: 60, living: 60 });
    const read = (run: string) =>
      JSON.parse(world.work.read(`executions/verify/${run}/batches/1-000000.json`) ?? "{}").segments.map(
        ({ record }: { record: string }) => /"segment_id":(\d+)/.exec(record)?.[1],
      );
    expect(read("one")).not.toEqual(read("two"));
    expect(again.rows?.percent).toBe(30);
  });

  test("upserts leave versions of a key of which one lives, also where keys are given out", async () => {
    await seed({
      until: 50,
      autoID: true,
      segments: [
        { id: 1, batches: [[row(1, 10), row(2, 10)]], deletes: [[1, 20]] },
        { id: 2, batches: [[row(1, 20)]] },
      ],
    });

    expect((await verify()).rows).toMatchObject({ rows: 3, living: 2, collections: [{ repeated: 0 }] });
  });
});

test("a key that a row lacks is told: of such a row nobody can say whether it lives", async () => {
  const collection = { until: 50, segments: [{ id: 1, batches: [ids(0, 3)] }] };
  await seed(collection);
  const keys = payloadOf({ type: "int64", values: [0n, null, 2n] });
  await replaceLog(logOf(1, 100), binlogOf([keys], { fieldId: 100n, dataType: 5 }), collection);

  expect(await failed()).toEqual([
    {
      key: `${directoryOf(1)}100/`,
      kind: "inconsistent",
      detail: "field id (100): of 1 row there is no value, and each needs one",
    },
  ]);
});

describe("rows that cannot be right", () => {
  test("a field with fewer rows than the timestamps beside it, by its log", async () => {
    const collection = { until: 50, segments: [{ id: 1, batches: [ids(0, 5)] }] };
    await seed(collection);
    const short = binlogOf([payloadOf({ type: "text", values: ["a", "b"] })], { fieldId: 101n, dataType: 21 });
    await replaceLog(logOf(1, 101), short, collection);

    expect(await failed()).toEqual([
      {
        key: logOf(1, 101),
        kind: "inconsistent",
        detail: `field text (101) has 2 rows, and Timestamp 5 (${logOf(1, 1)})`,
      },
    ]);
    expect(proof()?.last).toMatchObject({ outcome: "failed", problems: 1, rows: { percent: 100 } });
  });

  test("a payload of another type than the schema says, by object and offset", async () => {
    const collection = { until: 50, segments: [{ id: 1, batches: [ids(0, 2)] }] };
    await seed(collection);
    const numbers = binlogOf([payloadOf({ type: "int64", values: [1n, 2n] })], { fieldId: 101n, dataType: 21 });
    await replaceLog(logOf(1, 101), numbers, collection);

    const [problem] = await failed();
    expect(problem).toMatchObject({ key: logOf(1, 101), kind: "inconsistent" });
    expect(problem?.detail).toMatch(/^offset \d+: field text is VarChar in the schema, and its payload stores Int64$/);
  });

  test("a segment with other rows than the metas say, and a field without one of its logs", async () => {
    await seed({ until: 50, segments: [{ id: 1, batches: [ids(0, 5)], claimedRows: 7 }] });
    expect(await failed()).toEqual([
      { key: directoryOf(1), kind: "inconsistent", detail: "segment 1 has 5 rows in its logs, and 7 in the metas" },
    ]);
  });

  test("a log that is cut, in an object of the right size, with everything else of the backup looked at", async () => {
    const collection = {
      segments: [
        { id: 1, batches: [ids(0, 5)] },
        { id: 2, batches: [ids(5, 9)] },
      ],
    };
    await seed(collection);
    const whole = bucket().bytes(logOf(1, 100)) ?? Buffer.alloc(0);
    const broken = Buffer.from(whole);
    broken.writeInt32LE(1_000_000, 4 + 9);
    bucket().seed(logOf(1, 100), broken);

    const problems = await failed();
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ key: logOf(1, 100), kind: "inconsistent" });
    expect(problems[0]?.detail).toMatch(/^offset 4: cut off: the event takes 1000000 bytes/);
  });

  test("what is missing is named once, by who looked at the objects", async () => {
    await seed({
      until: 50,
      segments: [
        { id: 1, batches: [ids(0, 5)], deletes: [[1, 20]] },
        { id: 2, batches: [ids(5, 9)] },
      ],
    });
    bucket().remove(logOf(1, 101));

    expect(await failed()).toEqual([{ key: logOf(1, 101), kind: "missing", detail: "" }]);
    expect(JSON.parse(world.work.read("executions/verify/verify-1/findings.json") ?? "").problems).toMatchObject({
      missing: 1,
      inconsistent: 0,
    });
  });

  test("a delta log that is none, once however many batches it concerns", async () => {
    const collection = {
      until: 50,
      segments: [
        { id: 1, batches: [ids(0, 5)] },
        { id: 2, batches: [ids(5, 9)] },
        { id: 3, isL0: "all", deletes: [[1, 20]] },
      ],
    } as const;
    await seed(collection);
    const key =
      bucket()
        .keys(layout.binlogs)
        .find((name) => name.includes("/delta_log/")) ?? "";
    bucket().seed(key, "no binlog");
    await sealRows(bucket(), "b", 50);

    const problems = await failed();
    expect(problems.filter(({ kind }) => kind === "inconsistent")).toEqual([
      { key, kind: "inconsistent", detail: expect.stringMatching(/^offset 0: /) },
    ]);
  });

  const causes =
    "it holds both sides of a compaction, or its collection had those rows twice, of an import that ran twice or two restores with skipCreate";
  test("keys that Milvus gave out and that live twice, by the pairs of segments; of a backup without an instant that is told only", async () => {
    const segments = [
      { id: 1, batches: [ids(0, 5)] },
      { id: 2, batches: [ids(3, 9)] },
      { id: 3, batches: [[row(20, 1), row(20, 2)]] },
    ];
    await seed({ until: 50, autoID: true, segments });

    expect(await failed()).toEqual([
      {
        key: `${directoryOf(2)}100/`,
        kind: "inconsistent",
        detail: `field id (100): of 2 keys (from 3) a row lives in segment 1 too, and Milvus gave each key out once: ${causes}`,
      },
      {
        key: `${directoryOf(3)}100/`,
        kind: "inconsistent",
        detail: `field id (100): of 1 key (20) a row stands twice in it, and Milvus gave each key out once: ${causes}`,
      },
    ]);
    world = new PipelineWorld();
    await seed({ autoID: true, segments });
    const told = await verify();
    expect(told.rows?.collections[0]?.repeated).toBe(3);
    expect(told.warnings).toContain(
      "living rows of default.coll with a key that another one has: 3; the backup has no instant, and may hold segments of before and after a compaction",
    );
  });

  test("packed Parquet is not read, and all rows are not said to be", async () => {
    await seed({
      until: 50,
      segments: [
        { id: 1, batches: [ids(0, 5)] },
        { id: 2, batches: [ids(5, 10)], storageVersion: 2 },
      ],
    });

    const result = await verify();
    expect(result.rows).toMatchObject({ percent: 50, segments: 1, rows: 5 });
    expect(result.warnings).toEqual([
      "rows were not read of segments in packed Parquet (Milvus 2.6), or of an encrypted database: 1",
    ]);
  });
});

describe("the record beside the backup", () => {
  test("keeps a failure that rows showed until all rows are read again", async () => {
    const collection = { until: 50, segments: [{ id: 1, batches: [ids(0, 5)], claimedRows: 7 }] };
    await seed(collection);
    await failed();
    await seed({ ...collection, segments: [{ id: 1, batches: [ids(0, 5)] }] });

    const bySize = await verify({ rows: undefined }, "later");
    expect(bySize.warnings).toEqual([expect.stringMatching(/read rows and found 1 problem: .*\(--rows\)$/)]);
    expect(proof()?.last.outcome).toBe("failed");
    await verify({}, "last");
    expect(proof()?.last.outcome).toBe("passed");
  });
});

describe("a bad day", () => {
  const collection: SeededCollection = {
    until: 50,
    segments: [
      { id: 1, batches: [ids(0, 5)], deletes: [[1, 20]] },
      { id: 2, batches: [ids(5, 9)] },
      { id: 3, isL0: "all", deletes: [[2, 20]] },
    ],
  };

  test.each(["before", "after"] as const)(
    "any call that fails (%s it is made) is tried again: the same result, and never damage",
    async (moment) => {
      await seed(collection);
      const counted = new FaultInjector();
      const expected = await verify({}, "verify-1", counted);
      for (let at = 0; at < counted.calls.length; at += 1) {
        world = new PipelineWorld();
        await seed(collection);
        const result = await verify({}, "verify-1", new FaultInjector(at, moment), 1);
        expect(result, `${moment} ${counted.calls[at]}`).toEqual(expected);
      }
    },
    60_000,
  );

  test("a batch that was read is not read again, and one that was stopped is no good news", async () => {
    await seed(collection);
    const stopped = await runVerify(
      world.context(),
      { environment: "prod", backupName: "b", rows: 100 },
      executionOf("verify-1"),
      {
        after: (step) => {
          if (step === "copy") world.work.seed("executions/verify/verify-1/cancelled", "");
        },
      },
    ).then(
      () => "passed",
      (error: ExecutionFailed) => error.message,
    );
    expect(stopped).toContain("was not looked at to its end");
    expect(proof()).toBeUndefined();
  });
});
