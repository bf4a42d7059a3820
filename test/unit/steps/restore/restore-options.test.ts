import { beforeEach, describe, expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import type { RestoreInput } from "../../../../src/core/execution/messages.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { FaultInjector, type FaultMoment } from "../../../support/fault-injector.ts";
import type { MemoryMilvusOptions } from "../../../support/memory-milvus.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { deltaLog } from "../../../support/row-backup.ts";
import { executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";
import { books, seedShop } from "../../../support/seed-shop.ts";
import { stagedKeys } from "../../../support/targets.ts";

const input: RestoreInput = { environment: "dr", backupName: "nightly", collections: ["books"] };
const copies: RestoreInput = {
  ...input,
  renames: { books: ["books_a", "shop.books_b"] },
  shards: 2,
  autoIndex: true,
  skipProperties: ["collection.mmap.enabled"],
};
const first = { database: "default", collection: "books_a" };
const second = { database: "shop", collection: "books_b" };
const refused = new PipelineError("MilvusFailed", "no memory left");

let world: PipelineWorld;

async function backedUp(milvus: MemoryMilvusOptions = {}): Promise<PipelineWorld> {
  world = new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup", milvus },
    dr: { milvusAt: "bucket-b/files", backupAt: "bucket-b/backup", milvus },
  });
  seedShop(world);
  return world;
}

async function backUp(): Promise<void> {
  await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
}

function restore(request: RestoreInput, name = "restore-1", faults = new FaultInjector()) {
  return runRestore(world.context(faults), request, executionOf(name));
}

function calls(pattern: RegExp): string[] {
  return world.milvus("dr").calls.filter((call) => pattern.test(call));
}

async function found(): Promise<unknown> {
  const milvus = world.milvus("dr");
  const of = async (name: typeof first) => {
    const { shards, aliases, properties } = await milvus.describeCollection(name);
    const indexes = (await milvus.listIndexes(name)).map(({ indexName, params }) => [indexName, params]);
    return { rows: await milvus.rowCount(name), shards, aliases, properties, indexes };
  };
  return {
    first: await of(first),
    second: await of(second),
    collections: [...(await milvus.listCollections("default")), ...(await milvus.listCollections("shop"))],
    staged: stagedKeys(world.bucket("bucket-b")),
    records: world.work.keys("restores/"),
  };
}

const expected = {
  shards: 2,
  aliases: ["library"],
  properties: [],
  rows: 32n,
  indexes: [["vec_idx", { index_type: "AUTOINDEX", metric_type: "L2" }]],
};
const complete = {
  first: expected,
  second: expected,
  collections: ["books_a", "books_b"],
  staged: [],
  records: [],
};

beforeEach(async () => {
  await backedUp();
  await backUp();
});

describe("one collection under two names", () => {
  test("has all rows under each, made as it is asked for, of what was staged once", async () => {
    const result = await restore(copies);

    expect(await found()).toEqual(complete);
    expect(result).toMatchObject({ collections: [{ rows: "32" }, { rows: "32" }], warnings: [] });
    const [own, other] = [first, second].map((name) =>
      world
        .milvus("dr")
        .submittedImports(name)
        .map(({ files }) => files),
    );
    expect(own).toEqual(other);
  });

  test.each<FaultMoment>(["before", "after"])(
    "is complete after a fault %s any call, in a new execution",
    async (moment) => {
      const faults = new FaultInjector();
      await restore(copies, "restore-1", faults);
      for (let at = 0; at < faults.calls.length; at += 1) {
        await backedUp();
        await backUp();
        const broken = new FaultInjector(at, moment);
        await restore(copies, "restore-1", broken).catch(() => undefined);
        const isDone = calls(/^renameCollection/).length === 2 && world.work.keys("restores/").length === 0;
        if (!isDone) await restore(copies, "restore-2", broken);

        expect(await found(), `${moment} ${faults.calls[at]}`).toEqual(complete);
      }
    },
  );
});

test("each name with what it is made with, and of the names those that are wanted", async () => {
  const renames = { books: ["books_a", "books_c", "shop.books_b"] };
  const overrides = { "shop.books_b": { shards: 3, description: "of the shop" } };

  await restore({ ...copies, renames, overrides, description: "a copy", targets: ["books_a", "shop.*"] });

  const milvus = world.milvus("dr");
  const made = [await milvus.describeCollection(first), await milvus.describeCollection(second)];
  expect(made.map(({ shards, schema }) => [shards, schema.description])).toEqual([
    [2, "a copy"],
    [3, "of the shop"],
  ]);
  expect(await found()).toMatchObject({ collections: ["books_a", "books_b"] });
});

describe("other options than those of an earlier run", () => {
  const others: RestoreInput = { ...copies, shards: 1 };

  test("are refused where that run has made the collection, and after a discard they count", async () => {
    world.milvus("dr").fail("submitImport", refused, { times: 1 });
    await restore(copies).catch(() => undefined);

    await expect(restore(others, "restore-2")).rejects.toMatchObject({
      name: "InvalidInput",
      message: expect.stringContaining("with other options (shards, indexes, metadata only or what is left out)"),
    });
    await restore({ ...others, discard: true }, "restore-3");
    await restore(others, "restore-4");

    expect(await found()).toEqual({
      ...complete,
      first: { ...expected, shards: 1 },
      second: { ...expected, shards: 1 },
    });
  });

  test.each<[string, RestoreInput, RestoreInput, object]>([
    ["shards", copies, others, { shards: 1 }],
    [
      "indexes",
      copies,
      { ...copies, autoIndex: false },
      { indexes: [["vec_idx", expect.objectContaining({ index_type: "HNSW" })]] },
    ],
    ["properties", { ...copies, skipProperties: [] }, copies, {}],
  ])("make a collection anew of which no record tells (%s)", async (_, from, to, difference) => {
    // Everything is made, and the run is cut off before it writes its record.
    world.milvus("dr").fail("rowCount", refused, { times: 1 });
    await restore(from).catch(() => undefined);
    expect(calls(/^createIndex/)).toHaveLength(1);

    await restore(to, "restore-2");

    const made = { ...expected, ...difference };
    expect(await found()).toMatchObject({ ...complete, first: made, second: made });
  });
});

describe("what the target would refuse later is found in Prepare", () => {
  async function expectRefused(request: RestoreInput, ...parts: readonly string[]): Promise<void> {
    const error = await restore(request).then(
      () => expect.fail("it was expected to fail"),
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ name: "UnsupportedByTarget" });
    for (const part of parts) expect(error).toMatchObject({ message: expect.stringContaining(part) });
    expect(calls(/^(create|drop|submitImport|load )/)).toEqual([]);
    expect(world.bucket("bucket-b").keys("milvus-backup-staging/")).toEqual([]);
  }

  test("more shards than it takes, with the key that helps", async () => {
    await expectRefused(
      { ...copies, shards: 17 },
      "more than 16 shards",
      "default.books_a (17), shop.books_b (17)",
      "--max-shards 16",
    );
    await restore({ ...input, renames: { books: "books_a" }, maxShards: 16 }, "restore-2");
    expect((await world.milvus("dr").describeCollection(first)).shards).toBeLessThanOrEqual(16);
  });

  test("more shards than it takes for one of several names", async () => {
    await expectRefused(
      { ...copies, shards: 1, overrides: { "shop.books_b": { shards: 17 } } },
      "more than 16 shards (proxy.maxShardNum): shop.books_b (17)",
      "fewer in overrides (--plan)",
    );
  });

  test("nobody is asked about one shard, which every Milvus takes", async () => {
    await restore({ ...copies, shards: 1 });

    expect(calls(/^shardLimit/)).toEqual([]);
  });

  test("more collections than its database may have", async () => {
    await backedUp({ version: "2.4.3" });
    await backUp();
    await world.milvus("dr").createDatabase("shop", [{ key: "database.max.collections", value: "2" }]);
    world.milvus("dr").calls.length = 0;
    world.milvus("dr").addCollection(collectionDescription("there", { database: "shop", id: "5" }));
    const request = { ...input, renames: { books: ["shop.a", "shop.b"] } };

    await expectRefused(request, "database shop", "may have 2 collections", "has 1", "shop.a, shop.b");
    await restore({ ...input, renames: { books: "shop.a" } }, "restore-2");
  });

  test("more than its database may have while what is replaced still stands", async () => {
    await backedUp({ version: "2.4.3" });
    await backUp();
    await world.milvus("dr").createDatabase("shop", [{ key: "database.max.collections", value: "1" }]);
    world.milvus("dr").calls.length = 0;
    world.milvus("dr").addCollection(collectionDescription("a", { database: "shop", id: "5" }));

    await expectRefused({ ...input, renames: { books: "shop.a" }, dropExisting: true }, "no room for 1 more (shop.a)");
  });

  describe("deletes of L0 segments", () => {
    beforeEach(async () => {
      await backedUp({ version: "2.4.15" });
      const id = "470000000000000999";
      const of = { collectionId: books.id, partitionId: "-1" };
      const log = `files/delta_log/${of.collectionId}/${of.partitionId}/${id}/2${id}`;
      world.bucket("bucket-a").seed(log, deltaLog([[1, 5]]));
      world.milvus("prod").addSegment(
        { database: "default", collection: "books" },
        {
          ...{ ...of, id, rows: 0n, state: "Flushed", isL0: true, storageVersion: "0" },
        },
      );
      await backUp();
    });

    const partitions = [
      { id: "1", name: "_default" },
      { id: "2", name: "novels" },
    ];
    const into: RestoreInput = { ...input, renames: { books: "books_a" }, skipCreate: true };

    test.each([
      ["a loaded collection", true],
      ["one of which a partition is loaded", ["novels"]],
    ])("into %s", async (_, loaded) => {
      world.milvus("dr").addCollection(collectionDescription("books_a", { id: "5" }), { partitions, loaded });

      await expectRefused(into, "skipCreate: ", "release default.books_a");
    });

    test("go into one that is released", async () => {
      world.milvus("dr").addCollection(collectionDescription("books_a", { id: "5" }), { partitions });

      await restore(into);

      expect(
        world
          .milvus("dr")
          .submittedImports(first)
          .map(({ kind }) => kind),
      ).toContain("l0");
    });
  });
});
