import { beforeEach, describe, expect, test, vi } from "vitest";
import { workLayout } from "../../../../src/core/execution/work-layout.ts";
import { backupLayout, metaFileNames } from "../../../../src/core/format/layout.ts";
import { manifestFileOf, parseManifestIndex, parseManifestPart } from "../../../../src/core/format/manifest.ts";
import { parseFullMeta } from "../../../../src/core/format/meta-files.ts";
import { finalizeBackup } from "../../../../src/steps/backup/finalize-backup.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup } from "../../../support/run-machines.ts";
import { addBookSegment, books, compactBooks, seedShop } from "../../../support/seed-shop.ts";

const execution = executionOf("nightly-1");
const input = { environment: "prod", backupName: "nightly", collections: ["books"] };
const layout = backupLayout("backup", "nightly");

let world: PipelineWorld;

beforeEach(() => {
  world = new PipelineWorld();
  seedShop(world);
});

function segmentsInMeta(): string[] {
  const { value } = parseFullMeta(world.bucket("bucket-b").read(layout.meta.full_meta) ?? "");
  return value.collection_backups.flatMap(({ partition_backups }) =>
    partition_backups.flatMap(({ segment_backups }) => segment_backups.map(({ segment_id }) => segment_id.toString())),
  );
}

describe("compaction under a backup", () => {
  test("gives one consistent set: nothing of the replaced segments stays, and what lost some is flushed anew", async () => {
    const steps: string[] = [];
    const result = await runBackup(world.context(), input, execution, {
      after: (step, attempt) => {
        steps.push(`${step} ${attempt}`);
        if (steps.join() === "prepare 0") compactBooks(world);
      },
    });

    expect(result).toMatchObject({ outcome: "backed-up", segments: 2, objects: 8 });
    expect(steps.filter((step) => step.startsWith("finalize"))).toEqual(["finalize 0", "finalize 1"]);
    expect(segmentsInMeta()).toEqual(["470000000000000310", "470000000000000311"]);
    const logs = world.bucket("bucket-b").keys(layout.binlogs);
    expect(logs).toHaveLength(8);
    expect(logs.filter((key) => books.segments.some((id) => key.includes(`/${id}/`)))).toEqual([]);
    expect(world.milvus("prod").calls.filter((call) => call.startsWith("flush "))).toEqual([
      "flush default.books",
      "flush default.books",
    ]);
  });

  test("removes what the first attempt had copied already", async () => {
    let copied = 0;
    await runBackup(world.context(), input, execution, {
      after: (step, attempt) => {
        if (step !== "copy" || attempt > 0) return;
        copied = world.bucket("bucket-b").keys(layout.binlogs).length;
        // one segment is found gone by a later look: here by its receipt
        compactBooks(world);
        const key = workLayout("backup", execution.name).receipt("0-000000");
        const receipt = JSON.parse(world.work.read(key) ?? "null");
        receipt.outcome = "source-changed";
        receipt.segments[0] = { ...receipt.segments[0], outcome: "source-changed", insertLogs: [], deltaLogs: [] };
        world.work.seed(key, JSON.stringify(receipt));
      },
    });

    expect(copied).toBe(13);
    expect(world.bucket("bucket-b").keys(layout.binlogs)).toHaveLength(8);
    expect(segmentsInMeta()).toEqual(["470000000000000310", "470000000000000311"]);
  });

  test("of one collection leaves what the first attempt copied of the others in the backup", async () => {
    const magazines = { id: "470000000000000120", partition: "470000000000000220", segment: "470000000000000320" };
    const path = { collectionId: magazines.id, partitionId: magazines.partition, id: magazines.segment, rows: 7n };
    world.seedSegment("prod", path);
    world.milvus("prod").addCollection(collectionDescription("magazines", { id: magazines.id }), {
      partitions: [{ id: magazines.partition, name: "_default" }],
      segments: [{ ...path, state: "Flushed", isL0: false, storageVersion: "0" }],
    });
    const copies: string[][] = [];

    const result = await runBackup(
      world.context(),
      { ...input, collections: ["books", "magazines", "shop.carts"] },
      execution,
      {
        after: (step, attempt) => {
          if (step === "prepare" && attempt === 0) compactBooks(world);
          if (step === "copy") copies.push(world.bucket("bucket-b").keys(layout.binlogs));
        },
      },
    );

    expect(copies).toHaveLength(2);
    expect(copies[0]?.filter((key) => key.includes(`/${magazines.segment}/`))).toHaveLength(4);
    expect(result).toMatchObject({ outcome: "backed-up", collections: 3, segments: 3, objects: 12 });
    expect(segmentsInMeta()).toEqual(["470000000000000310", "470000000000000311", magazines.segment]);
    expect(world.bucket("bucket-b").keys(layout.binlogs)).toHaveLength(12);
  });

  test("that never ends fails by name, with the lease given back and no commit record", async () => {
    let generation = 0;
    const endless = runBackup(world.context(), input, execution, {
      after: (step) => {
        if (step !== "prepare") return;
        world.collectSegment("prod", books.id, `${9000 + generation}`);
        for (const id of books.segments) world.collectSegment("prod", books.id, id);
        generation += 1;
        const id = `${9000 + generation}`;
        const segment = { collectionId: books.id, partitionId: books.novels, id, rows: 5n };
        world.seedSegment("prod", segment);
        world
          .milvus("prod")
          .setSegments({ database: "default", collection: "books" }, [
            { ...segment, state: "Flushed", isL0: false, storageVersion: "0" },
          ]);
      },
    });

    await expect(endless).rejects.toMatchObject({
      name: "InconsistentSegments",
      message: expect.stringMatching(
        /after 10 attempts: segment \d+ of collection .*What is left: segments already copied/,
      ),
    });
    expect(world.bucket("bucket-b").read(layout.meta.full_meta)).toBeUndefined();
  });
});

describe("orphaned logs", () => {
  const orphan = `files/insert_log/${books.id}/${books.novels}/${books.segments[1]}/100/999`;

  test("are looked at again, and are no matter where Milvus has removed them meanwhile", async () => {
    world.bucket("bucket-a").seed(orphan, "left by a failed flush");

    await runBackup(world.context(), input, execution, {
      after: (step) => {
        if (step === "finalize") world.bucket("bucket-a").remove(orphan);
      },
    });

    expect(
      world
        .bucket("bucket-b")
        .keys(layout.binlogs)
        .filter((key) => key.endsWith("/999")),
    ).toEqual([]);
  });

  test.each([
    [
      "one log too many of a field",
      () => world.bucket("bucket-a").seed(orphan, "x"),
      "do not have the same number of logs",
    ],
    [
      "no log of a field at all",
      () => {
        for (const key of world.bucket("bucket-a").keys(orphan.replace("/999", "/")))
          world.bucket("bucket-a").remove(key);
      },
      "it has no logs of field 100",
    ],
  ])("%s: reported by segment after four attempts, and never in a backup", async (_, damage, problem) => {
    damage();
    const failed = runBackup(world.context(), input, execution);

    await expect(failed).rejects.toMatchObject({
      name: "InconsistentSegments",
      message: expect.stringContaining(`after 4 attempts: segment ${books.segments[1]} of collection ${books.id}`),
    });
    await expect(failed).rejects.toThrow(problem);
    expect(world.bucket("bucket-b").keys(layout.metas)).toEqual([]);
  });
});

describe("the commit", () => {
  test("lists every log with its size and checksum in the manifest", async () => {
    await runBackup(world.context(), input, execution);

    const bucket = world.bucket("bucket-b");
    const index = parseManifestIndex(bucket.read(layout.manifest) ?? "", layout.manifest);
    const listed = index.parts.flatMap((part) => [
      ...parseManifestPart(bucket.read(layout.root + part.key) ?? "", part),
    ]);
    expect(listed.map(({ key }) => layout.root + key).sort()).toEqual(bucket.keys(layout.binlogs));
    expect(listed.every(({ checksum }) => checksum?.startsWith("md5:"))).toBe(true);
    expect(index.created).toBe(execution.startTime);
  });

  test("a backup that somebody else committed under the name meanwhile is not touched", async () => {
    const theirs = {
      [layout.meta.full_meta]: '{"name":"nightly"}',
      [`${layout.binlogs}insert_log/1/2/3/3/100/4`]: "their log",
      [layout.meta.segment_meta]: "{}",
    };
    const failed = runBackup(world.context(), input, execution, {
      after: (step) => {
        if (step !== "copy") return;
        for (const [key, body] of Object.entries(theirs)) world.bucket("bucket-b").seed(key, body);
      },
    });

    await expect(failed).rejects.toMatchObject({ name: "BackupExists" });
    for (const [key, body] of Object.entries(theirs)) expect(world.bucket("bucket-b").read(key)).toBe(body);
  });

  test.each([
    ["another execution has the claim", (claim: string) => claim.replaceAll(execution.id, "arn:other")],
    ["it was released", (claim: string) => claim.replace('"writing"', '"failed"')],
  ])("is not made where %s by now: nothing is written or removed", async (_, change) => {
    const bucket = world.bucket("bucket-b");
    const theirs = `${layout.binlogs}insert_log/1/2/3/3/100/4`;
    const failed = runBackup(world.context(), input, execution, {
      after: (step) => {
        if (step !== "copy") return;
        bucket.seed(layout.claim, change(bucket.read(layout.claim) ?? ""));
        bucket.seed(theirs, "theirs");
      },
    });

    await expect(failed).rejects.toMatchObject({ name: "ClaimLost", message: expect.stringContaining(layout.claim) });
    expect(bucket.keys(layout.metas)).toEqual([]);
    expect(bucket.read(theirs)).toBe("theirs");
  });

  test("a step that outlives its execution touches nothing of what the next execution committed while it listed", async () => {
    const bucket = world.bucket("bucket-b");
    const added = "470000000000000399";
    const list = bucket.list.bind(bucket);
    let isListed = false;
    let theirs: Record<string, string | undefined> = {};
    vi.spyOn(bucket, "list").mockImplementation(async function* (prefix, options) {
      if (isFinalizing && !isListed && prefix === layout.binlogs) {
        isListed = true;
        addBookSegment(world, added);
        await runBackup(world.context(), input, executionOf("nightly-2"));
        theirs = Object.fromEntries(bucket.keys().map((key) => [key, bucket.read(key)]));
      }
      yield* list(prefix, options);
    });
    let isFinalizing = false;

    const failed = runBackup(world.context(), input, execution, {
      after: (step) => {
        isFinalizing = step === "copy";
      },
    });

    await expect(failed).rejects.toMatchObject({ name: "ClaimLost" });
    expect(segmentsInMeta()).toContain(added);
    expect(bucket.keys(layout.binlogs).filter((key) => key.includes(`/${added}/`))).not.toEqual([]);
    expect(Object.fromEntries(bucket.keys().map((key) => [key, bucket.read(key)]))).toEqual(theirs);
  });

  test("takes the claim away, also where it was made and then cut off", async () => {
    const bucket = world.bucket("bucket-b");
    bucket.failOn(
      (call) => call === `deleteKeys ${layout.claim}`,
      () => new Error("cut off"),
    );

    await runBackup(world.context(), input, execution, { retries: 1 });

    expect(bucket.read(layout.claim)).toBeUndefined();
  });

  test("run again after the commit, changes nothing and answers the same", async () => {
    const context = world.context();
    const result = await runBackup(context, input, execution);
    const before = world
      .bucket("bucket-b")
      .keys()
      .map((key) => world.bucket("bucket-b").read(key));
    await world.memory.clock.sleep(60_000);

    const again = await finalizeBackup({ execution, input, attempt: 0 }, context);

    expect(again).toEqual(result);
    expect(
      world
        .bucket("bucket-b")
        .keys()
        .map((key) => world.bucket("bucket-b").read(key)),
    ).toEqual(before);
  });

  describe("looks for every object first", () => {
    const bucket = () => world.bucket("bucket-b");

    /** A backup whose copies are altered between Copy Segments and Finalize Backup. */
    function backUp(alter: (logs: string[]) => void) {
      return runBackup(world.context(), input, execution, {
        after: (step) => {
          if (step === "copy") alter(bucket().keys(layout.binlogs));
        },
      });
    }

    test.each<[string, (logs: string[]) => void, RegExp]>([
      ["is missing", ([log = ""]) => bucket().remove(log), /100 is missing|\/\d+ is missing/],
      ["was cut off", ([log = ""]) => bucket().seed(log, "x"), /has 1 bytes instead of \d+/],
      [
        "was replaced by another one of its size",
        ([log = ""]) => bucket().seed(log, Buffer.alloc(bucket().bytes(log)?.length ?? 0, "#")),
        /was replaced \(its ETag is \w+ instead of \w+\)/,
      ],
    ])("and commits nothing where one %s", async (_, alter, problem) => {
      let altered = "";
      const failed = backUp((logs) => {
        altered = logs[0] ?? "";
        alter(logs);
      });

      await expect(failed).rejects.toMatchObject({
        name: "CopyMismatch",
        message: expect.stringMatching(
          /nothing was committed: of 13 objects .*, 1 are not there as they were copied, such as .*start the same command again/s,
        ),
      });
      await expect(failed).rejects.toThrow(problem);
      await expect(failed).rejects.toThrow(altered);
      expect(bucket().keys(layout.metas)).toEqual([]);
      expect(bucket().read(layout.manifest)).toBeUndefined();
    });

    test("and the same command then makes it whole", async () => {
      await expect(backUp(([log = ""]) => bucket().remove(log))).rejects.toMatchObject({ name: "CopyMismatch" });

      const result = await runBackup(world.context(), input, executionOf("nightly-2"));

      expect(result).toMatchObject({ outcome: "backed-up", objects: 13 });
      expect(bucket().keys(layout.binlogs)).toHaveLength(13);
    });

    test("and removes nothing while one is missing", async () => {
      const stray = `${layout.binlogs}insert_log/${books.id}/${books.novels}/7/7/100/1`;

      await expect(
        backUp(([log = ""]) => {
          bucket().remove(log);
          bucket().seed(stray, "maybe the only copy of something");
        }),
      ).rejects.toMatchObject({ name: "CopyMismatch" });

      expect(bucket().read(stray)).toBeDefined();
    });
  });

  test.each([
    ["first", (segments: unknown[]) => segments.slice(1)],
    ["last", (segments: unknown[]) => segments.slice(0, -1)],
  ])("the %s segment is never left out in silence where no receipt names it", async (_, without) => {
    const failed = runBackup(world.context(), input, execution, {
      after: (step) => {
        if (step !== "copy") return;
        const key = workLayout("backup", execution.name).receipt("0-000000");
        const receipt = JSON.parse(world.work.read(key) ?? "null");
        world.work.seed(key, JSON.stringify({ ...receipt, segments: without(receipt.segments) }));
      },
    });

    await expect(failed).rejects.toMatchObject({
      name: "CopyMismatch",
      message: expect.stringMatching(/segment \d+ was planned, but no receipt says in its place that it was copied/),
    });
    expect(world.bucket("bucket-b").read(layout.meta.full_meta)).toBeUndefined();
  });

  test("comes after everything else", async () => {
    await runBackup(world.context(), input, execution);

    const writes = world
      .bucket("bucket-b")
      .calls.filter((call) => /^(putText|finishText|copyFrom|delete)/.test(call) && !call.includes(layout.claim));
    expect(writes.at(-1)).toBe(`finishText ${layout.meta.full_meta}`);
    expect(writes.filter((call) => call.includes("full_meta"))).toHaveLength(1);
  });

  test("says in the manifest what the five metas are", async () => {
    await runBackup(world.context(), input, execution);

    const bucket = world.bucket("bucket-b");
    const index = parseManifestIndex(bucket.read(layout.manifest) ?? "", layout.manifest);
    expect(index.metas).toEqual(
      metaFileNames.map((name) => manifestFileOf(`meta/${name}.json`, bucket.read(layout.meta[name]) ?? "")),
    );
  });

  test("a batch without receipt is never taken for copied", async () => {
    const failed = runBackup(world.context(), input, execution, {
      after: (step) => {
        if (step === "copy") world.work.remove(workLayout("backup", execution.name).receipt("0-000000"));
      },
    });

    await expect(failed).rejects.toMatchObject({ name: "CopyMismatch", message: expect.stringContaining("0-000000") });
  });

  test("an empty selection of rows is a whole backup all the same", async () => {
    const result = await runBackup(world.context(), { ...input, collections: ["shop.carts"] }, execution);

    expect(result).toMatchObject({ outcome: "backed-up", collections: 1, segments: 0, objects: 0, bytes: 0 });
    const { value } = parseFullMeta(world.bucket("bucket-b").read(layout.meta.full_meta) ?? "");
    expect(value.collection_backups[0]).toMatchObject({ db_name: "shop", collection_name: "carts" });
  });
});
