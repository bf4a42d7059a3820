import { beforeEach, describe, expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import type { FinishRestoreResult, RestoreInput } from "../../../../src/core/execution/messages.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { ExecutionFailed, executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";
import { books, hnsw, seedShop } from "../../../support/seed-shop.ts";
import { heldTargets, stagedKeys } from "../../../support/targets.ts";

const input: RestoreInput = { environment: "dr", backupName: "nightly", collections: ["books"], suffix: "_bak" };
const target = { database: "default", collection: "books_bak" };
const refused = new PipelineError("MilvusFailed", "no memory left");
const row = { collectionId: "5", partitionId: "6", state: "Flushed", isL0: false, storageVersion: "0" } as const;

let world: PipelineWorld;

beforeEach(async () => {
  world = new PipelineWorld();
  seedShop(world);
  await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
});

function restore(rest: Partial<RestoreInput> = {}, name = "restore-1", after?: (step: string) => void | Promise<void>) {
  return runRestore(world.context(), { ...input, ...rest }, executionOf(name), after ? { after } : {});
}

async function failed(running: Promise<unknown>): Promise<ExecutionFailed> {
  const error = await running.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ExecutionFailed)) throw new Error("the restore was expected to fail");
  return error;
}

function collections(): Promise<string[]> {
  return world.milvus("dr").listCollections("default");
}

function workingNames(names: readonly string[]): string[] {
  return names.filter((name) => name.includes("_restoring_"));
}

function callsOf(method: string): string[] {
  return world.milvus("dr").calls.filter((call) => call.startsWith(`${method} `));
}

describe("a backup that does not hold what its meta says", () => {
  const log = `backup/nightly/binlogs/insert_log/${books.id}/${books.novels}/${books.segments[1]}/${books.segments[1]}/100/1${books.segments[1]}`;

  test.each([
    ["a log is missing", () => world.bucket("bucket-b").remove(log), "is missing"],
    ["a log is shorter", () => world.bucket("bucket-b").seed(log, "x"), "has 1 bytes instead of"],
    ["a log is there that nobody knows", () => world.bucket("bucket-b").seed(`${log}9`, "x"), "is not in the meta"],
    [
      "a segment's directory is missing",
      () => {
        for (const key of world.bucket("bucket-b").keys(`${log.split("/100/")[0]}/`))
          world.bucket("bucket-b").remove(key);
      },
      "is missing",
    ],
  ])("%s: it is found before the target is touched, and nothing stays", async (_, damage, problem) => {
    damage();
    const error = await failed(restore());

    expect(error.name).toBe("CorruptBackup");
    expect(error.message).toContain(`segment ${books.segments[1]}`);
    expect(error.message).toContain(problem);
    expect(error.released.left).toBe("");
    expect(world.milvus("dr").calls.join()).not.toMatch(/create|drop|submitImport/);
    expect(stagedKeys(world.bucket("bucket-b"))).toEqual([]);
  });
});

describe("a collection", () => {
  test("has its target name only when it is complete", async () => {
    const seen: string[] = [];
    await restore({}, "restore-1", async (step) => {
      if ((await collections()).includes("books_bak")) seen.push(step);
    });

    expect(seen).toEqual(["finish"]);
  });

  test("that is replaced stays until the new one is complete", async () => {
    world
      .milvus("dr")
      .addCollection(collectionDescription("books_bak", { id: "5" }), { segments: [{ ...row, id: "7", rows: 7n }] });
    const seen = new Set<bigint>();
    await restore({ dropExisting: true }, "restore-1", async (step) => {
      if (step !== "finish") seen.add(await world.milvus("dr").rowCount(target));
    });

    expect([...seen]).toEqual([7n]);
    expect(await world.milvus("dr").rowCount(target)).toBe(32n);
    expect(await collections()).toEqual(["books_bak"]);
  });

  test("that is to be replaced stays where the restore fails", async () => {
    world
      .milvus("dr")
      .addCollection(collectionDescription("books_bak", { id: "5" }), { segments: [{ ...row, id: "7", rows: 7n }] });
    world.milvus("dr").fail("submitImport", refused);

    await failed(restore({ dropExisting: true }));

    expect(await world.milvus("dr").rowCount(target)).toBe(7n);
  });

  test("gets rows of its own after it is in place, while it still loads, and nobody minds", async () => {
    let loading = 0;
    world.milvus("dr").fail("loadingProgress", refused, { times: 1 });
    const error = await failed(restore());
    expect(error.released.left).toContain("default.books_bak in place with all rows");

    world.milvus("dr").setSegments(target, [{ ...row, id: "9", rows: 39n }]);
    const result = (await restore({}, "restore-2", (step) => {
      if (step === "finish") loading += 1;
    })) as FinishRestoreResult;

    expect(result.collections).toMatchObject([{ to: "default.books_bak", rows: "39", loaded: true }]);
    expect(loading).toBe(1);
  });
});

describe("rows are counted", () => {
  test("and the result tells how many were in the backup, left out, imported and counted", async () => {
    const result = (await restore()) as FinishRestoreResult;

    expect(result.collections).toEqual([
      expect.objectContaining({ inBackup: "35", leftOut: "3", imported: "32", rows: "32" }),
    ]);
  });

  test("and a difference keeps the collection from its target name", async () => {
    const error = await failed(
      restore({}, "restore-1", async (step) => {
        if (step !== "import") return;
        const [working = ""] = workingNames(await collections());
        world.milvus("dr").setSegments({ database: "default", collection: working }, [{ ...row, id: "9", rows: 31n }]);
      }),
    );

    expect(error.name).toBe("RowCountMismatch");
    expect(error.message).toMatch(
      /the backup holds 35 rows \(some deleted\), its imports reported 32, and Milvus counts 31\. default\.books_bak_restoring_\w+ does not get its target name/,
    );
    expect(workingNames(await collections())).toHaveLength(1);
    expect(await collections()).not.toContain("books_bak");
  });

  test.each([
    ["without deletes every row must be imported", books.defaultPartition, 9n, false],
    ["with deletes fewer rows may be", books.novels, 10n, true],
    ["more rows than the backup holds are never right", books.novels, 40n, false],
  ])("%s", async (_, partitionId, rows, good) => {
    const deletes = partitionId === books.novels ? 1n : 0n;
    const segment = { collectionId: books.id, partitionId, id: "470000000000000399", rows: 20n };
    world.milvus("prod").setSegments({ database: "default", collection: "books" }, [{ ...row, ...segment }]);
    world.seedSegment("prod", { ...segment, deletes });
    await runBackup(world.context(), { environment: "prod", backupName: "second" }, executionOf("backup-2"));
    // what Milvus makes of the logs
    world.seedSegment("dr", { ...segment, rows });

    const running = restore({ backupName: "second" });

    if (good) await expect(running).resolves.toMatchObject({ outcome: "restored" });
    else expect((await failed(running)).name).toBe("RowCountMismatch");
  });

  test("of the collection that was imported into: one that was made anew under its working name replaces nothing", async () => {
    const dr = world.milvus("dr");
    dr.addCollection(collectionDescription("books_bak", { id: "5" }), { segments: [{ ...row, id: "7", rows: 7n }] });

    // an hour of time-to-live: any count is low enough
    const prod = world.milvus("prod");
    const source = { database: "default", collection: "books" };
    prod.addCollection(
      { ...(await prod.describeCollection(source)), properties: [{ key: "collection.ttl.seconds", value: "3600" }] },
      { partitions: await prod.listPartitions(source), segments: await prod.listSegments(source) },
    );
    await runBackup(world.context(), { environment: "prod", backupName: "expiring" }, executionOf("expiring"));

    const error = await failed(
      restore({ backupName: "expiring", dropExisting: true }, "restore-1", async (step) => {
        if (step !== "import") return;
        const [working = ""] = workingNames(await collections());
        const name = { database: "default", collection: working };
        const described = await dr.describeCollection(name);
        await dr.dropCollection(name);
        dr.addCollection({ ...described, id: "99" }, {});
      }),
    );

    expect(error.message).toContain("is not the collection that was imported into");
    expect((await dr.describeCollection(target)).id).toBe("5");
    expect(await dr.rowCount(target)).toBe(7n);
  });

  test("a collection whose rows expire may hold fewer than were imported", async () => {
    const description = await world.milvus("prod").describeCollection({ database: "default", collection: "books" });
    world.milvus("prod").addCollection(
      { ...description, properties: [{ key: "collection.ttl.seconds", value: "60" }] },
      {
        partitions: await world.milvus("prod").listPartitions(description.name),
        segments: await world.milvus("prod").listSegments(description.name),
        indexes: [{ id: "1", fieldName: "vec", indexName: "vec_idx", params: hnsw }],
      },
    );
    await runBackup(world.context(), { environment: "prod", backupName: "ttl" }, executionOf("backup-2"));

    const result = await restore({ backupName: "ttl" }, "restore-1", async (step) => {
      if (step !== "import") return;
      const [working = ""] = workingNames(await collections());
      world.milvus("dr").setSegments({ database: "default", collection: working }, []);
    });

    expect(result.outcome).toBe("restored");
  });
});

describe("aliases", () => {
  test("that point elsewhere are reported, never moved", async () => {
    world.milvus("dr").addCollection(collectionDescription("other", { aliases: ["library"] }));

    const result = (await restore()) as FinishRestoreResult;

    expect(result.warnings).toEqual([
      expect.stringContaining("alias library of default.books_bak was not set: it points to other"),
    ]);
    expect(await world.milvus("dr").describeAlias("default", "library")).toBe("other");
  });

  test("that have the name of a collection are reported, and the restore is complete", async () => {
    world.milvus("dr").addCollection(collectionDescription("library"));

    const result = await restore();

    expect(result).toMatchObject({
      outcome: "restored",
      warnings: [expect.stringContaining("a collection has that name")],
    });
  });
});

describe("options", () => {
  test("skipCreate imports into what is there, once, whatever it held before", async () => {
    const before = [{ ...row, id: "7", rows: 7n }];
    const partitions = [
      { id: "1", name: "_default" },
      { id: "2", name: "novels" },
    ];
    world
      .milvus("dr")
      .addCollection(collectionDescription("books_bak", { id: "5" }), { partitions, segments: before, loaded: true });
    world.milvus("dr").fail("rowCount", refused, { times: 1 });
    await failed(restore({ skipCreate: true }));

    const result = await restore({ skipCreate: true }, "restore-2");

    expect(result).toMatchObject({
      outcome: "restored",
      collections: [{ id: "5", rows: "39", loaded: true }],
      warnings: [],
    });
    expect(callsOf("createCollection")).toEqual([]);
    expect(callsOf("load")).toEqual([]);
  });

  test.each([[true], [undefined]] as const)(
    "skipCreate notes where no IDs are told of what was imported before, as REST is closed: %s",
    async (restClosed) => {
      const [prod, dr] = ["bucket-a/files", "bucket-b/files"].map((milvusAt) => ({
        milvusAt,
        backupAt: "bucket-b/backup",
      }));
      if (!prod || !dr) throw new Error("two are given");
      world = new PipelineWorld({
        prod,
        dr: { ...dr, milvus: { version: "2.6.4", ...(restClosed && { restClosed }) } },
      });
      seedShop(world);
      await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
      const partitions = [
        { id: "1", name: "_default" },
        { id: "2", name: "novels" },
      ];
      world.milvus("dr").addCollection(collectionDescription("books_bak", { id: "5" }), { partitions });
      let noted: unknown;

      await restore({ skipCreate: true }, "restore-1", (step) => {
        if (step !== "recreate") return;
        const [key = ""] = world.work.keys("restores/").filter((name) => name.endsWith("collections.json"));
        noted = JSON.parse(world.work.read(key) ?? "[]")[0].importsUntold;
      });

      expect(noted).toBe(restClosed);
    },
  );

  test("skipCreate says where others wrote into the collection meanwhile", async () => {
    const partitions = [
      { id: "1", name: "_default" },
      { id: "2", name: "novels" },
    ];
    world.milvus("dr").addCollection(collectionDescription("books_bak", { id: "5" }), { partitions });

    const result = (await restore({ skipCreate: true }, "restore-1", (step) => {
      if (step === "import") world.milvus("dr").setSegments(target, [{ ...row, id: "9", rows: 100n }]);
    })) as FinishRestoreResult;

    expect(result.warnings).toEqual([
      expect.stringContaining("each import brought its rows, so others wrote or deleted there meanwhile"),
    ]);
  });

  test("metadataOnly makes everything but rows", async () => {
    await restore({ metadataOnly: true });

    expect(await world.milvus("dr").rowCount(target)).toBe(0n);
    expect(await world.milvus("dr").listPartitions(target)).toHaveLength(2);
    expect(await world.milvus("dr").describeAlias("default", "library")).toBe("books_bak");
    expect(callsOf("submitImport")).toEqual([]);
  });

  test("without indexes and without load", async () => {
    await restore({ indexes: false });

    expect(callsOf("createIndex")).toEqual([]);
    expect(callsOf("load")).toEqual([]);
    await restore({ load: false, suffix: "_2" }, "restore-2");
    expect(callsOf("load")).toEqual([]);
  });
});

describe("going on", () => {
  test("after a failure that left something, the message says what, and that the same restore goes on", async () => {
    world.milvus("dr").fail("createIndex", refused, { times: 1 });

    const error = await failed(restore());

    expect(error.message).toMatch(
      /no memory left\. What is left: the unfinished default\.books_bak_restoring_\w+ \(for default\.books_bak\) and staged files/,
    );
    await restore({}, "restore-2");
    expect(callsOf("createCollection")).toHaveLength(1);
  });

  test("a restore of which only the cleaning up failed says that it is complete, and what another one would do", async () => {
    const fail = (options: Partial<RestoreInput>, name: string) => {
      world.work.failOn(
        (call) => call.startsWith("deleteKeys readers/"),
        () => new PipelineError("StoreBusy", "slow down"),
      );
      return failed(restore(options, name));
    };
    expect((await fail({}, "whole")).message).toContain("default.books_bak complete");
    const { message } = await fail({ skipCreate: true }, "added");

    expect(message).toContain("default.books_bak complete");
    expect(message).toContain("do not start it again, it would bring every row a second time");
  });

  test("makes a working collection anew that somebody dropped, and imports into it again", async () => {
    world.milvus("dr").fail("renameCollection", refused, { times: 1 });
    await failed(restore());
    const [working = ""] = workingNames(await collections());
    await world.milvus("dr").dropCollection({ database: "default", collection: working });

    await restore({}, "restore-2");

    expect(await world.milvus("dr").rowCount(target)).toBe(32n);
  });

  test("makes a working collection anew of which nobody knows what is in it", async () => {
    world.milvus("dr").fail("renameCollection", refused, { times: 1 });
    await failed(restore());
    for (const key of world.work.keys("restores/")) world.work.remove(key);

    await restore({}, "restore-2");

    expect(await world.milvus("dr").rowCount(target)).toBe(32n);
    expect(callsOf("dropCollection")).toHaveLength(1);
  });

  test("a run with other options does not take the imports of an earlier one for its own", async () => {
    world.milvus("dr").fail("renameCollection", refused, { times: 1 });
    await failed(restore());

    const error = await failed(restore({ metadataOnly: true }, "restore-2"));

    expect(error).toMatchObject({
      name: "InvalidInput",
      message: expect.stringContaining("with other options (shards, indexes, metadata only or what is left out)"),
    });
    await restore({}, "restore-3");
    expect(await world.milvus("dr").rowCount(target)).toBe(32n);
  });

  test("what a failed skipCreate left in a collection is never taken for a finished restore under its name", async () => {
    const partitions = [
      { id: "1", name: "_default" },
      { id: "2", name: "novels" },
    ];
    world.milvus("dr").addCollection(collectionDescription("books_bak", { id: "5" }), { partitions });
    world.milvus("dr").fail("submitImport", refused, { times: 1 });
    await failed(restore({ skipCreate: true }));

    const error = await failed(restore({}, "restore-2"));

    expect(error.name).toBe("TargetExists");
  });
});

describe("discard", () => {
  test("removes what a failed restore left, and nothing that stands under a target name", async () => {
    world.milvus("dr").addCollection(collectionDescription("mine", { id: "9" }));
    world.milvus("dr").fail("renameCollection", refused, { times: 1 });
    await failed(restore());
    expect(stagedKeys(world.bucket("bucket-b"))).not.toEqual([]);

    const result = await restore({ discard: true }, "restore-2");

    expect(result).toMatchObject({ outcome: "discarded", backupName: "nightly" });
    expect(await collections()).toEqual(["mine"]);
    expect(stagedKeys(world.bucket("bucket-b"))).toEqual([]);
    expect(world.work.keys("restores/")).toEqual([]);
    expect(heldTargets(world.bucket("bucket-b"))).toEqual([]);
  });

  test("keeps collections that had got their names already", async () => {
    world.milvus("dr").fail("load", refused, { times: 1 });
    await failed(restore());

    await restore({ discard: true }, "restore-2");

    expect(await collections()).toEqual(["books_bak"]);
    expect(await world.milvus("dr").rowCount(target)).toBe(32n);
  });

  test("of nothing is no failure, and can be run again", async () => {
    for (const name of ["restore-1", "restore-2"]) {
      await expect(restore({ discard: true }, name)).resolves.toMatchObject({ outcome: "discarded" });
    }
  });

  test("waits for nobody: a restore that runs is left alone", async () => {
    world.milvus("dr").fail("renameCollection", refused, { times: 1 });
    let seen: ExecutionFailed | undefined;
    await failed(
      restore({}, "restore-1", async (step) => {
        world.memory.running.add(executionOf("restore-1").id);
        if (step === "recreate") seen = await failed(restore({ discard: true }, "restore-2"));
      }),
    );

    expect(seen?.name).toBe("AlreadyRunning");
    expect(workingNames(await collections())).toHaveLength(1);
  });
});

test("no staged file is needed afterwards, and they stay on request only", async () => {
  world = new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup" },
    dr: { milvusAt: "bucket-c/files", backupAt: "bucket-b/backup", settings: { keepTempFiles: true } },
  });
  seedShop(world);
  await runBackup(world.context(), { environment: "prod", backupName: "nightly" });

  await restore();

  expect(stagedKeys(world.bucket("bucket-c"))).toHaveLength(13);
  expect(
    world
      .bucket("bucket-b")
      .keys()
      .every((key) => key.startsWith(backupLayout("backup", "nightly").root)),
  ).toBe(true);
});
