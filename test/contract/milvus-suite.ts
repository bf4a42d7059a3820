import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CollectionName, ImportTask, Milvus } from "../../src/ports/milvus.ts";
import { collectionRequest, field, floatVector, int64, varChar } from "../support/milvus-fields.ts";

/** A Milvus under test, and what the port cannot do. */
export interface MilvusUnderTest {
  readonly milvus: Milvus;
  /** Inserts rows `{id, vec}` with IDs from `firstId` on; they are growing until a flush. */
  insert(name: CollectionName, rows: number, firstId: number): Promise<void>;
  /** The directory of a partition's insert logs in the bucket of this Milvus. */
  insertDirectory(collectionId: string, partitionId: string): string;
  close(): Promise<void>;
}

const nowhere: CollectionName = { database: "default", collection: "contract_nowhere" };
const flatIndex = {
  fieldName: "vec",
  indexName: "vec_flat",
  params: { index_type: "FLAT", metric_type: "L2", params: "{}" },
};

/** What every implementation of the port does alike; each test makes collections of its own. */
export function milvusContract(label: string, open: () => Promise<MilvusUnderTest>): void {
  describe(`the port Milvus: ${label}`, () => {
    let under: MilvusUnderTest;
    let milvus: Milvus;
    const made: CollectionName[] = [];

    async function make(suffix: string, rest: Parameters<typeof collectionRequest>[1] = {}): Promise<CollectionName> {
      const name = { database: "default", collection: `contract_${suffix}` };
      await milvus.dropCollection(name);
      made.push(name);
      await milvus.createCollection(collectionRequest(name.collection, rest));
      return name;
    }

    beforeAll(async () => {
      under = await open();
      milvus = under.milvus;
    });
    afterAll(async () => {
      for (const name of made) await milvus.dropCollection(name);
      await under.close();
    });

    it("tells its version and its databases", async () => {
      expect(await milvus.version()).toMatch(/^v?\d+\.\d+\.\d+/);
      expect(await milvus.listDatabases()).toContain("default");
    });

    it.each<[string, (milvus: Milvus) => Promise<unknown>]>([
      ["describeCollection", (port) => port.describeCollection(nowhere)],
      ["listPartitions", (port) => port.listPartitions(nowhere)],
      ["listIndexes", (port) => port.listIndexes(nowhere)],
      ["listSegments", (port) => port.listSegments(nowhere)],
      ["listImports", (port) => port.listImports(nowhere)],
      ["flush", (port) => port.flush(nowhere)],
      ["rowCount", (port) => port.rowCount(nowhere)],
      ["renameCollection", (port) => port.renameCollection(nowhere, "contract_elsewhere")],
    ])("%s names a collection that does not exist", async (_, call) => {
      await expect(call(milvus)).rejects.toMatchObject({
        name: "CollectionNotFound",
        message: expect.stringContaining("default.contract_nowhere"),
      });
    });

    it("describes a collection as it was created", async () => {
      const fields = [
        field("id", int64, { isPrimaryKey: true, description: "the key" }),
        field("title", varChar, { typeParams: [{ key: "max_length", value: "64" }] }),
        field("nums", 22, { elementType: int64, typeParams: [{ key: "max_capacity", value: "8" }] }),
        field("vec", floatVector, { typeParams: [{ key: "dim", value: "4" }] }),
      ];
      const name = await make("described", {
        schema: { fields, description: "for the contract", enableDynamicField: true },
        shards: 2,
        consistencyLevel: 1,
        properties: [{ key: "collection.ttl.seconds", value: "3600" }],
      });

      const description = await milvus.describeCollection(name);

      expect(description).toMatchObject({
        name,
        shards: 2,
        consistencyLevel: 1,
        properties: [{ key: "collection.ttl.seconds", value: "3600" }],
        aliases: [],
      });
      expect(description.schema).toEqual({
        name: name.collection,
        description: "for the contract",
        enableDynamicField: true,
        // IDs in order, the dynamic field not described
        fields: fields.map((each, index) => ({ ...each, fieldId: String(100 + index) })),
        properties: [],
        functions: [],
        structArrayFields: [],
        enableNamespace: false,
        externalSource: "",
        externalSpec: "",
      });
      expect(description.id).toMatch(/^\d{17,}$/);
      expect(description.virtualChannels).toHaveLength(2);
      expect(await milvus.listCollections("default")).toContain(name.collection);
      expect(await milvus.hasCollection(name)).toBe(true);
      expect(await milvus.hasCollection(nowhere)).toBe(false);
    });

    it("refuses another collection of the same name", async () => {
      const name = await make("twice");
      const other = collectionRequest(name.collection, { shards: 2 });

      await expect(milvus.createCollection(other)).rejects.toMatchObject({ name: "MilvusFailed" });
      expect((await milvus.describeCollection(name)).shards).toBe(1);
    });

    it("tries the calls of backups and restores, which changes nothing", async () => {
      const everything = async () => {
        const databases = await milvus.listDatabases();
        return Promise.all(databases.map(async (one) => [one, (await milvus.listCollections(one)).sort()]));
      };
      const before = await everything();

      const tried = await milvus.tryCalls();

      expect(tried.filter(({ outcome }) => outcome !== "allowed")).toEqual([]);
      expect(tried.map(({ call }) => call)).toEqual(expect.arrayContaining(["Flush", "CreateCollection", "Import"]));
      expect(await everything()).toEqual(before);
    });

    it("tells how many shards it takes where more are asked about, and makes nothing", async () => {
      const before = (await milvus.listCollections("default")).toSorted();

      expect(await milvus.shardLimit("default", 2)).toBeUndefined();
      const limit = (await milvus.shardLimit("default", 1000)) ?? expect.fail("it takes 1,000");

      expect(await milvus.shardLimit("default", limit)).toBeUndefined();
      expect(await milvus.shardLimit("default", limit + 1)).toBe(limit);
      expect((await milvus.listCollections("default")).toSorted()).toEqual(before);
      await expect(milvus.createCollection(collectionRequest("contract_many", { shards: limit + 1 }))).rejects.toThrow(
        String(limit),
      );
    });

    it("drops a collection with its aliases, by its name only, and says nothing where there is none", async () => {
      const name = await make("dropped");
      await milvus.createAlias(name, "contract_dropped_alias");

      await expect(milvus.dropCollection({ ...name, collection: "contract_dropped_alias" })).rejects.toMatchObject({
        name: "MilvusFailed",
      });
      await milvus.dropCollection(name);
      await milvus.dropCollection(name);

      expect(await milvus.hasCollection(name)).toBe(false);
      expect(await milvus.describeAlias("default", "contract_dropped_alias")).toBeUndefined();
      const other = await make("after_dropped");
      await milvus.createAlias(other, "contract_dropped_alias");
      expect(await milvus.describeAlias("default", "contract_dropped_alias")).toBe(other.collection);
    });

    it("makes as many partitions for a partition key as asked for", async () => {
      const fields = [
        field("id", int64, { isPrimaryKey: true }),
        field("tenant", int64, { isPartitionKey: true }),
        field("vec", floatVector, { typeParams: [{ key: "dim", value: "4" }] }),
      ];
      const name = await make("keyed", { schema: { fields }, partitionCount: 3 });

      const partitions = await milvus.listPartitions(name);

      expect(partitions.map((partition) => partition.name)).toEqual(["_default_0", "_default_1", "_default_2"]);
    });

    it("creates partitions, indexes and aliases once, however often they are asked for", async () => {
      const name = await make("parts");
      expect(await milvus.listIndexes(name)).toEqual([]);

      for (let times = 0; times < 2; times += 1) {
        await milvus.createPartition(name, "p1");
        await milvus.createIndex(name, flatIndex);
        await milvus.createAlias(name, "contract_alias");
      }

      expect((await milvus.listPartitions(name)).map((partition) => partition.name)).toEqual(["_default", "p1"]);
      expect(await milvus.listIndexes(name)).toMatchObject([flatIndex]);
      expect((await milvus.describeCollection(name)).aliases).toEqual(["contract_alias"]);
      expect(await milvus.describeAlias("default", "contract_alias")).toBe(name.collection);
      expect(await milvus.describeAlias("default", name.collection)).toBeUndefined();
      expect(await milvus.describeAlias("default", "contract_no_alias")).toBeUndefined();
    });

    it("moves an alias with alterAlias; aliases and ID go with a collection that is renamed", async () => {
      const old = await make("moved_old");
      const heir = await make("moved_heir");
      const { id } = await milvus.describeCollection(old);
      await milvus.createAlias(old, "contract_moved");
      const aside = { ...old, collection: `${old.collection}_replaced` };
      made.push(aside);
      await milvus.dropCollection(aside);

      await milvus.renameCollection(old, aside.collection);
      expect(await milvus.describeCollection(aside)).toMatchObject({ id, aliases: ["contract_moved"] });
      await milvus.alterAlias(heir, "contract_moved");
      await milvus.alterAlias(heir, "contract_moved");

      expect((await milvus.describeCollection(aside)).aliases).toEqual([]);
      expect(await milvus.describeAlias("default", "contract_moved")).toBe(heir.collection);
      await milvus.dropCollection(aside);
      expect(await milvus.describeAlias("default", "contract_moved")).toBe(heir.collection);
      await expect(milvus.alterAlias(heir, "contract_never_made")).rejects.toMatchObject({ name: "MilvusFailed" });
    });

    it("never moves an alias that stands for another collection", async () => {
      const owner = await make("alias_owner");
      const other = await make("alias_other");
      await milvus.createAlias(owner, "contract_taken");

      await expect(milvus.createAlias(other, "contract_taken")).rejects.toMatchObject({ name: "MilvusFailed" });
      await expect(milvus.renameCollection(other, "contract_taken")).rejects.toMatchObject({ name: "MilvusFailed" });
      expect(await milvus.describeAlias("default", "contract_taken")).toBe(owner.collection);
    });

    it("lists what a flush sealed, with its rows", async () => {
      const name = await make("flushed");
      await under.insert(name, 30, 0);

      const flushed = await milvus.flush(name);
      const segments = await milvus.listSegments(name);

      const sealed = segments.filter(({ state }) => state === "Flushed");
      expect(sealed.map(({ id }) => id).sort()).toEqual([...flushed.segmentIds].sort());
      expect(sealed.reduce((sum, { rows }) => sum + rows, 0n)).toBe(30n);
      expect(sealed.every(({ isL0 }) => isL0)).toBe(false);
      expect(await milvus.rowCount(name)).toBe(30n);
    });

    it("imports a directory of segments, remembers the import by its files, and keeps it through a rename", async () => {
      const source = await make("import_source");
      await under.insert(source, 30, 0);
      await milvus.flush(source);
      const { id } = await milvus.describeCollection(source);
      const partitionId = (await milvus.listPartitions(source))[0]?.id ?? "";
      const target = await make("import_target");
      const files = [{ insert: under.insertDirectory(id, partitionId), delta: "" }];

      const task = await milvus.submitImport({
        name: target,
        partition: "_default",
        kind: "segments",
        storageVersion: "0",
        files,
      });
      const done = await settled(() => milvus.listImports(target), task);
      const renamed = { ...target, collection: "contract_import_renamed" };
      await milvus.dropCollection(renamed);
      made.push(renamed);
      await milvus.renameCollection(target, renamed.collection);

      expect(done).toEqual({
        id: task,
        state: "completed",
        progress: 100,
        rows: 30n,
        failedReason: "",
        partition: "_default",
        files,
      });
      expect(await milvus.rowCount(renamed)).toBe(30n);
      expect((await milvus.listImports(renamed)).map((each) => each.id)).toEqual([task]);
      expect(await milvus.hasCollection(target)).toBe(false);
    });

    it("refuses an import into a partition that does not exist", async () => {
      const name = await make("import_nowhere");

      await expect(
        milvus.submitImport({
          name,
          partition: "nope",
          kind: "segments",
          storageVersion: "0",
          files: [{ insert: "files/nothing/", delta: "" }],
        }),
      ).rejects.toMatchObject({ name: "MilvusFailed", message: expect.stringContaining("partition not found") });
    });

    it("loads a collection, and tells how far it is", async () => {
      const name = await make("loaded");
      expect(await milvus.loadingProgress(name)).toBe(0);
      expect(await milvus.isLoaded(name)).toBe(false);
      await expect(milvus.load(name)).rejects.toMatchObject({ name: "MilvusFailed" });
      await milvus.createIndex(name, flatIndex);

      await milvus.load(name);

      await expect.poll(() => milvus.loadingProgress(name), { timeout: 30_000, interval: 100 }).toBe(100);
      expect(await milvus.loadingProgress(name, "_default")).toBe(100);
      expect(await milvus.isLoaded(name)).toBe(true);
    });

    it("loads single partitions", async () => {
      const name = await make("loaded_partly");
      await milvus.createPartition(name, "p1");
      await milvus.createIndex(name, flatIndex);

      await milvus.load(name, ["p1"]);

      await expect.poll(() => milvus.loadingProgress(name, "p1"), { timeout: 30_000, interval: 100 }).toBe(100);
      expect(await milvus.loadingProgress(name, "_default")).toBe(0);
      expect(await milvus.isLoaded(name)).toBe(true);
    });

    it("cannot pause garbage collection or tell a segment's logs before 2.4", async () => {
      expect(await milvus.pauseGarbageCollection(1)).toBeUndefined();
      expect(await milvus.describeSegmentLogs(nowhere, "1", ["2"])).toBeUndefined();
    });
  });
}

async function settled(list: () => Promise<ImportTask[]>, id: string): Promise<ImportTask> {
  for (let polls = 0; polls < 200; polls += 1) {
    const task = (await list()).find((each) => each.id === id);
    if (task && task.state !== "pending" && task.state !== "importing") return task;
    await sleep(100);
  }
  throw new Error(`import ${id} did not end`);
}
