import { afterEach, describe, expect, it } from "vitest";
import { closeMilvusConnections, connectMilvus } from "../../../src/adapters/milvus/index.ts";
import type { ImportRequest, Milvus } from "../../../src/ports/milvus.ts";
import { seedGoldenServer } from "../../support/fake-milvus/golden-server.ts";
import { type FakeMilvus, type FakeMilvusOptions, startFakeMilvus } from "../../support/fake-milvus/index.ts";
import { rbacCalls } from "../../support/fake-milvus/rbac-calls.ts";
import { seedGolden } from "../../support/golden-backup.ts";
import { MemoryObjectStore } from "../../support/memory-object-store.ts";
import { milvusEnvironment } from "../../support/milvus-environment.ts";
import { collectionRequest, field, floatVector, int64 } from "../../support/milvus-fields.ts";

const name = { database: "shop", collection: "coll" };

let fake: FakeMilvus;
let milvus: Milvus;
async function start(options: FakeMilvusOptions): Promise<void> {
  fake = await startFakeMilvus(options);
  milvus = await connectMilvus(milvusEnvironment(fake.port, { managementPort: fake.management.port }));
}
afterEach(async () => {
  closeMilvusConnections();
  await fake.close();
});

async function createColl(partitions: readonly string[] = ["p1"]): Promise<void> {
  await milvus.createDatabase("shop", [{ key: "database.replica.number", value: "2" }]);
  const { schema } = collectionRequest("coll");
  const fields = [
    field("id", int64, { isPrimaryKey: true }),
    field("vec", floatVector, { typeParams: [{ key: "dim", value: "8" }] }),
  ];
  await milvus.createCollection({
    ...collectionRequest("coll", { schema: { ...schema, fields, enableDynamicField: true } }),
    name,
  });
  for (const partition of partitions) await milvus.createPartition(name, partition);
}

describe("the fake Milvus", () => {
  it.each(["v2.4.15", "v2.5.12", "v2.6.4", "v2.6.12"])("keeps what it is asked for: %s", async (version) => {
    await start({ version });
    await createColl();
    await milvus.createIndex(name, { fieldName: "vec", indexName: "", params: { index_type: "FLAT" } });
    await milvus.createAlias(name, "alias");
    await milvus.load(name);

    expect(await milvus.version()).toBe(version);
    expect(await milvus.listDatabases()).toEqual(["default", "shop"]);
    expect(await milvus.describeDatabase("shop")).toMatchObject({
      properties: [{ key: "database.replica.number", value: "2" }],
    });
    const described = await milvus.describeCollection(name);
    expect(described).toMatchObject({ name, aliases: ["alias"] });
    // the dynamic field is shown by nothing but its flag
    expect(described.schema.fields.map((one) => [one.fieldId, one.name])).toEqual([
      ["100", "id"],
      ["101", "vec"],
    ]);
    expect((await milvus.listPartitions(name)).map((one) => one.name)).toEqual(["_default", "p1"]);
    expect(await milvus.listIndexes(name)).toMatchObject([{ indexName: "vec", params: { index_type: "FLAT" } }]);
    expect(await milvus.loadingProgress(name)).toBe(100);

    await milvus.renameCollection(name, "other");
    expect(await milvus.hasCollection(name)).toBe(false);
    await milvus.dropCollection({ ...name, collection: "other" });
    expect(await milvus.listCollections("shop")).toEqual([]);
  });

  it("imports the logs that lie in its store, step by step, and counts their rows", async () => {
    const objects = new MemoryObjectStore("bucket-a");
    seedGolden(objects, "golden");
    await start({ version: "v2.5.12", store: { objects, rootPath: "files" } });
    await createColl();
    const [directory = ""] = await objects.listDirectories("backup/golden/binlogs/insert_log/");
    const [partition = ""] = await objects.listDirectories(directory);
    const [group = ""] = await objects.listDirectories(partition);
    const request: ImportRequest = {
      name,
      partition: "p1",
      kind: "segments",
      storageVersion: "0",
      files: [{ insert: group, delta: "" }],
    };
    await milvus.submitImport(request);

    const seen = [];
    for (let at = 0; at < 3; at += 1) seen.push(...(await milvus.listImports(name)));

    expect(seen.map(({ state, files }) => [state, files.length])).toEqual([
      ["importing", 0],
      ["importing", 1],
      ["completed", 1],
    ]);
    const rows = await milvus.rowCount(name);
    expect(rows).toBeGreaterThan(0n);
    expect(seen.at(-1)?.rows).toBe(rows);
    const [segment] = await milvus.listSegments(name);
    const { id } = await milvus.describeCollection(name);
    const logs = await milvus.describeSegmentLogs(name, id, [segment?.id ?? ""]);
    const keys = objects.keys(`files/insert_log/${id}/`);
    expect(logs?.[0]?.insertLogs.flatMap(({ logIds }) => logIds)).toHaveLength(keys.length);
    expect(keys.length).toBeGreaterThan(0);
  });

  describe("imports", () => {
    const directory = "stage/insert_log/1/2/";
    const request: ImportRequest = {
      name,
      partition: "p1",
      kind: "segments",
      storageVersion: "0",
      files: [{ insert: directory, delta: "" }],
    };
    const l0: ImportRequest = {
      ...request,
      partition: "",
      kind: "l0",
      files: [{ insert: "", delta: "stage/delta_log/1/-1/9/" }],
    };
    const createPath = "/v2/vectordb/jobs/import/create";

    async function startWithColl(version: string): Promise<void> {
      await start({ version, alive: true });
      await createColl();
      fake.rest.segmentsOf = () => ["11", "12"];
    }
    /** Asks until a job is over. */
    async function outcome(id: string): Promise<string> {
      for (;;) {
        const task = (await milvus.listImports(name)).find((one) => one.id === id);
        if (task?.state === "failed") return task.failedReason;
        if (task?.state === "completed") return "completed";
      }
    }

    it.each([
      ["into a collection that is not there", { name: { ...name, collection: "other" } }, "other does not exist"],
      ["into a partition that is not there", { partition: "p9" }, "partition not found[partition=p9]"],
      ["into no partition", { partition: "" }, "partition not specified"],
    ])("are refused %s", async (_, asked, reason) => {
      await startWithColl("v2.5.12");

      await expect(milvus.submitImport({ ...request, ...asked })).rejects.toThrow(reason);
    });

    it("of nothing are refused, and of L0 segments into a loaded collection", async () => {
      await startWithColl("v2.5.12");
      fake.rest.segmentsOf = () => [];
      fake.model.collection("shop", "coll").loaded.add("all");

      await expect(milvus.submitImport(request)).rejects.toThrow("no binlog to import");
      await expect(milvus.submitImport(l0)).rejects.toThrow("collection cannot be loaded");
    });

    it.each([
      ["v2.4.15", "completed"],
      ["v2.5.12", "end_ts is not a valid hybrid timestamp, value=1795261301540"],
    ])("fail when they run where the end is of the other unit: %s", async (version, expected) => {
      await startWithColl(version);

      const id = await milvus.submitImport({ ...request, end: { timestamp: "470616978630901767" } });

      expect(await outcome(id)).toBe(expected);
    });

    it.each([
      ["v2.6.4", "there should be one prefix for l0 import"],
      ["v2.6.5", "completed"],
    ])("fail when they run where one brings two L0 segments: %s", async (version, expected) => {
      await startWithColl(version);

      const id = await milvus.submitImport({ ...l0, files: [...l0.files, ...l0.files] });

      expect(await outcome(id)).toContain(expected);
    });

    it("are made although the answer came too late, and forgotten in the end", async () => {
      await startWithColl("v2.5.12");
      fake.rest.takes(createPath, 601);

      await expect(milvus.submitImport(request)).rejects.toMatchObject({ name: "MilvusBusy" });

      const [job] = await milvus.listImports(name);
      expect(job).toMatchObject({ state: "importing", files: [] });
      fake.model.jobs.expire(job?.id ?? "");
      expect(await milvus.listImports(name)).toEqual([]);
    });
  });

  it.each([
    ["v2.6.4", "pause_seconds=60", 200],
    ["v2.6.4", "pause_seconds=soon&collection_id=0", 500],
    ["v2.6.12", "pause_seconds=60", 500],
    ["v2.6.12", "pause_seconds=60&collection_id=0", 200],
  ])("%s answers a pause of garbage collection (%s) with %i", async (version, query, status) => {
    await start({ version });
    const url = `http://127.0.0.1:${fake.management.port}/management/datacoord/garbage_collection`;

    expect((await fetch(`${url}/pause?${query}`)).status).toBe(status);
    // without the ticket that some have given
    expect((await fetch(`${url}/resume`)).status).toBe(version === "v2.6.4" ? 200 : 500);
  });

  it.each([
    ["v2.3.5", "default", ["Insert", "Query"]],
    ["v2.3.5", "*", ["Insert"]],
    ["v2.4.15", "default", ["Insert", "Query"]],
    ["v2.4.15", "*", ["Insert", "Query", "Search"]],
  ])("%s tells of a role's grants in the database %s: %j", async (version, database, told) => {
    await start({ version });
    const { model } = fake;
    model.rbac.createRole("reader");
    const grant = { role: "reader", object: "Collection", objectName: "*", grantor: "root" };
    model.rbac.grant({ ...grant, privilege: "Insert", database: "*" });
    model.rbac.grant({ ...grant, privilege: "Query", database: "default" });
    model.rbac.grant({ ...grant, privilege: "Search", database: "shop" });

    const entity = { role: { name: "reader" }, db_name: database };
    const answer = rbacCalls(model).SelectGrant?.({ request: { entity }, database: "default" });

    const { entities } = answer as { entities: { grantor: { privilege: { name: string } } }[] };
    expect(entities.map(({ grantor }) => grantor.privilege.name)).toEqual(told);
  });

  it("has what its version brought, and nothing later", async () => {
    await start({ version: "v2.5.7", alive: true });
    await createColl();

    const { id } = await milvus.describeCollection(name);
    expect(await milvus.describeSegmentLogs(name, id, ["1"])).toBeUndefined();
    const added = { ...collectionRequest("more"), addedFields: [field("later", int64, { nullable: true })] };
    await expect(milvus.createCollection(added)).rejects.toThrow("does not have the call");
  });

  it("stands for a server with real logs: the golden backup's, L0 segments and users", async () => {
    const objects = new MemoryObjectStore("bucket-a");
    await start({ version: "v2.6.12", store: { objects, rootPath: "files" } });

    await seedGoldenServer(fake.model, (key, bytes) => objects.seed(key, bytes), "files");

    const all = { database: "default", collection: "all_types" };
    const segments = await milvus.listSegments(all);
    expect(segments.filter(({ isL0 }) => isL0)).toHaveLength(2);
    const { id } = await milvus.describeCollection(all);
    const logs =
      (await milvus.describeSegmentLogs(
        all,
        id,
        segments.map((one) => one.id),
      )) ?? [];
    const told = logs.flatMap(({ insertLogs, deltaLogs }) => [...insertLogs, ...deltaLogs]).flatMap((f) => f.logIds);
    const kept = objects.keys("files/").filter((key) => key.includes(`/${id}/`));
    expect(told.toSorted()).toEqual(kept.map((key) => key.split("/").at(-1)).toSorted());
  });
});
