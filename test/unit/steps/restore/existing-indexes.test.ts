import { beforeEach, describe, expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import type { FinishRestoreResult, RestoreInput } from "../../../../src/core/execution/messages.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { FaultInjector, type FaultMoment } from "../../../support/fault-injector.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, type RunOptions, runBackup, runRestore } from "../../../support/run-machines.ts";
import { hnsw, seedShop } from "../../../support/seed-shop.ts";

const name = { database: "default", collection: "books" };
const input: RestoreInput = { environment: "dr", backupName: "nightly", collections: ["books"], skipCreate: true };
const replace: RestoreInput = { ...input, existingIndexes: "replace" };
const flat = { id: "7", fieldName: "vec", indexName: "vec_flat", params: { index_type: "FLAT", metric_type: "L2" } };
const onKey = { id: "8", fieldName: "id", indexName: "by_id", params: { index_type: "STL_SORT" } };

let world: PipelineWorld;

/** A target that has `books` with other indexes than the backup has. */
async function begin({ indexes = [flat, onKey], loaded = false } = {}): Promise<void> {
  world = new PipelineWorld();
  seedShop(world);
  const partitions = ["_default", "novels"].map((partition, index) => ({ id: `${index + 1}`, name: partition }));
  world.milvus("dr").addCollection(collectionDescription("books", { id: "5" }), { partitions, indexes, loaded });
  await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
}

function restore(request: RestoreInput, execution = "restore-1", faults = new FaultInjector(), options?: RunOptions) {
  return runRestore(world.context(faults), request, executionOf(execution), options);
}

async function found(): Promise<Record<string, unknown>> {
  const indexes = await world.milvus("dr").listIndexes(name);
  return Object.fromEntries(indexes.map(({ indexName, params }) => [indexName, params]));
}

function calls(pattern: RegExp): string[] {
  return world.milvus("dr").calls.filter((call) => pattern.test(call));
}

beforeEach(() => begin());

describe("indexes of a collection that is there (skipCreate)", () => {
  test.each<RestoreInput>([input, { ...input, existingIndexes: "keep" }])("stay as they are", async (request) => {
    await restore(request);

    expect(await found()).toEqual({ vec_flat: flat.params, by_id: onKey.params });
    expect(calls(/^(createIndex|dropIndex)/)).toEqual([]);
  });

  test("add makes the backup's on a field that has none, and leaves the others", async () => {
    await begin({ indexes: [onKey] });
    await restore({ ...input, existingIndexes: "add" });
    expect(await found()).toEqual({ by_id: onKey.params, vec_idx: hnsw });

    await begin();
    await restore({ ...input, existingIndexes: "add" });
    expect(await found()).toEqual({ vec_flat: flat.params, by_id: onKey.params });
    expect(calls(/^dropIndex/)).toEqual([]);
  });

  test("replace puts the backup's in the place of another, when every row is there, and tells what it leaves", async () => {
    const rowsWhenDropped: bigint[] = [];
    const milvus = world.milvus("dr");
    const drop = milvus.dropIndex.bind(milvus);
    milvus.dropIndex = async (...args) => {
      rowsWhenDropped.push(await milvus.rowCount(name));
      await drop(...args);
    };

    const result = (await restore(replace)) as FinishRestoreResult;

    expect(await found()).toEqual({ by_id: onKey.params, vec_idx: hnsw });
    expect(rowsWhenDropped).toEqual([32n]);
    expect(result.warnings).toEqual([
      "default.books keeps what the backup has no index for: by_id on id. Drop it with dropIndex if it is not wanted",
    ]);
    expect(await milvus.listCollections("default")).toEqual(["books"]);
    expect(world.work.keys("restores/")).toEqual([]);
  });

  test("replace as AUTOINDEX, without any row", async () => {
    const result = await restore({ ...replace, metadataOnly: true, autoIndex: true });

    expect(await found()).toMatchObject({ vec_idx: { index_type: "AUTOINDEX", metric_type: "L2" } });
    expect(result).toMatchObject({ collections: [{ rows: "0" }] });
  });

  test("replace leaves one that is as the backup's, whatever it is called", async () => {
    await begin({ indexes: [{ ...flat, params: hnsw }] });

    await restore(replace);

    expect(await found()).toEqual({ vec_flat: hnsw });
    expect(calls(/^(createIndex|dropIndex|createCollection)/)).toEqual([]);
  });

  test("replace is refused while the collection is loaded, before anything is staged", async () => {
    await begin({ loaded: true });

    await expect(restore(replace)).rejects.toMatchObject({
      name: "UnsupportedByTarget",
      message: expect.stringContaining("release default.books, start the restore again"),
    });
    expect(calls(/^(createIndex|dropIndex|submitImport)/)).toEqual([]);
    expect(world.bucket("bucket-b").keys("milvus-backup-staging/executions/")).toEqual([]);
  });

  test("a name that stands on another field is refused by name", async () => {
    await begin({ indexes: [flat, { ...onKey, indexName: "vec_idx" }] });

    await expect(restore(replace)).rejects.toMatchObject({
      name: "SchemaMismatch",
      message: expect.stringContaining("default.books: vec_idx (on id, and in the backup on vec)"),
    });
    expect(await found()).toEqual({ vec_flat: flat.params, vec_idx: onKey.params });
  });

  test("what Milvus would not make is found on an empty collection: nothing is dropped or imported", async () => {
    const refused = new PipelineError("MilvusFailed", "invalid index type: HNSW");
    world.milvus("dr").fail("createIndex", refused);

    await expect(restore(replace)).rejects.toMatchObject({
      name: "UnsupportedByTarget",
      message: expect.stringMatching(/none of default\.books was dropped: invalid index type: HNSW/),
    });
    expect(calls(/^(dropIndex|submitImport)/)).toEqual([]);
    expect(await world.milvus("dr").listCollections("default")).toEqual(["books"]);
  });

  test("what Milvus refuses all the same leaves the old one in its place", async () => {
    const refused = new PipelineError("MilvusFailed", "no memory left");
    const when = (of: unknown, index: unknown) => index === "vec_idx" && JSON.stringify(of) === JSON.stringify(name);
    world.milvus("dr").fail("createIndex", refused, { when });

    await expect(restore(replace)).rejects.toMatchObject({
      message: expect.stringContaining("no memory left; the index that was to be replaced was made again"),
    });
    expect(await found()).toEqual({ vec_flat: flat.params, by_id: onKey.params });
  });

  test("one that was made again is replaced by the same restore", async () => {
    const when = (of: unknown, index: unknown) => index === "vec_idx" && JSON.stringify(of) === JSON.stringify(name);
    world.milvus("dr").fail("createIndex", new PipelineError("MilvusFailed", "no memory left"), { when, times: 1 });
    await restore(replace).catch(() => undefined);

    await restore(replace, "restore-2");

    expect(await found()).toEqual({ by_id: onKey.params, vec_idx: hnsw });
  });
});

describe("a restore that ends between the two", () => {
  /** Its Milvus is away when the new index is asked for, and when the old one is to be made again. */
  async function endBetween(): Promise<unknown> {
    const away = new PipelineError("MilvusUnreachable", "connection refused");
    const when = (of: unknown) => JSON.stringify(of) === JSON.stringify(name);
    world.milvus("dr").fail("createIndex", away, { when, times: 1 });
    const error = await restore(replace).catch((reason: unknown) => reason);
    expect(await found()).toEqual({ by_id: onKey.params });
    return error;
  }

  test("says so, and the same restore finishes it", async () => {
    expect(await endBetween()).toMatchObject({
      message: expect.stringMatching(
        /default\.books may lack an index that was being replaced: start the same restore/,
      ),
    });

    await restore(replace, "restore-2");

    expect(await found()).toEqual({ by_id: onKey.params, vec_idx: hnsw });
    expect(await world.milvus("dr").rowCount(name)).toBe(32n);
  });

  test("a discard makes the old one again", async () => {
    await endBetween();

    await restore({ ...replace, discard: true }, "restore-2");

    expect(await found()).toEqual({ vec_flat: flat.params, by_id: onKey.params });
    expect(world.work.keys("restores/")).toEqual([]);
  });

  test.each<RestoreInput>([input, { ...input, existingIndexes: "keep" }])(
    "one that is to leave indexes as they are makes the old one again",
    async (request) => {
      await endBetween();

      await restore(request, "restore-2");

      expect(await found()).toEqual({ vec_flat: flat.params, by_id: onKey.params });
      expect(await world.milvus("dr").rowCount(name)).toBe(32n);
    },
  );

  test("a discard that does not say what was asked for drops what was there for trial, too", async () => {
    await endBetween();
    const [trial] = calls(/createCollection .*_trial_/).map((call) => /books_trial_\w+/.exec(call)?.[0]);
    const left = { database: "default", collection: trial ?? expect.fail() };
    world.milvus("dr").addCollection(collectionDescription(left.collection, { id: "6" }));

    await restore({ ...input, discard: true }, "restore-2");

    expect(await world.milvus("dr").listCollections("default")).toEqual(["books"]);
    expect(await found()).toEqual({ vec_flat: flat.params, by_id: onKey.params });
  });

  test("what somebody made there meanwhile stays", async () => {
    await endBetween();
    const ivf = { index_type: "IVF_FLAT", metric_type: "L2" };
    await world.milvus("dr").createIndex(name, { ...flat, indexName: "mine", params: ivf });

    await restore(replace, "restore-2");

    expect(await found()).toEqual({ by_id: onKey.params, mine: ivf });
  });

  /** What is about indexes; the other calls are those of every restore. */
  const ofIndexes = /ndexes|[a-z]Index |(?:create|drop|describe)Collection /;
  const manyRuns = 30_000;
  test.each<FaultMoment>(["before", "after"])(
    "a fault %s any call about indexes: never without an index for good, every row once",
    async (moment) => {
      const faults = new FaultInjector();
      await restore(replace, "restore-1", faults);
      for (const [at, call] of faults.calls.entries()) {
        if (!ofIndexes.test(call)) continue;
        await begin();
        const broken = new FaultInjector(at, moment);
        const one = await restore(replace, "restore-1", broken).catch(() => undefined);
        const isDone = one !== undefined || world.work.keys("restores/").length === 0;
        const where = `${moment} ${call}`;
        if (!isDone || (await world.milvus("dr").rowCount(name)) === 0n) await restore(replace, "restore-2", broken);

        expect(await found(), where).toEqual({ by_id: onKey.params, vec_idx: hnsw });
        expect(await world.milvus("dr").rowCount(name), where).toBe(32n);
        expect(await world.milvus("dr").listCollections("default"), where).toEqual(["books"]);
      }
    },
    manyRuns,
  );
});
