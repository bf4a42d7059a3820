import { afterEach, describe, expect, it } from "vitest";
import { closeMilvusConnections, connectMilvus } from "../../../src/adapters/milvus/index.ts";
import type { ImportRequest, Milvus } from "../../../src/ports/milvus.ts";
import { type FakeMilvus, type FakeMilvusOptions, startFakeMilvus } from "../../support/fake-milvus/index.ts";
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
});
