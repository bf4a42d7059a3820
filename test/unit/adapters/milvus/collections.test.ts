import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { closeMilvusConnections, connectMilvus } from "../../../../src/adapters/milvus/index.ts";
import { decodeSchemaMessage, encodeSchemaMessage } from "../../../../src/adapters/milvus/protocol.ts";
import type { Milvus, SchemaDescription } from "../../../../src/ports/milvus.ts";
import { success } from "../../../support/fake-milvus/grpc-server.ts";
import { type FakeMilvus, startFakeMilvus } from "../../../support/fake-milvus/index.ts";
import { milvusEnvironment } from "../../../support/milvus-environment.ts";
import { array, collectionRequest, field, floatVector, int64, varChar } from "../../../support/milvus-fields.ts";

/** base64 of a `ValueField`, as a backup keeps default values. */
function defaultValue(value: Record<string, unknown>): string {
  return Buffer.from(encodeSchemaMessage("ValueField", value)).toString("base64");
}

/** What only 2.4 and newer have: nullable fields, default values, functions, struct arrays, schema properties. */
const richSchema: SchemaDescription = {
  name: "docs",
  description: "söme documents",
  enableDynamicField: true,
  fields: [
    field("id", int64, { isPrimaryKey: true, autoId: true, description: "the key" }),
    // above 2^53: a double could not hold it
    field("count", int64, { nullable: true, defaultValueBase64: defaultValue({ long_data: "9007199254740993" }) }),
    // false and 0 are values too
    field("flag", 1, { defaultValueBase64: defaultValue({ bool_data: false }) }),
    field("text", varChar, {
      defaultValueBase64: defaultValue({ string_data: "" }),
      typeParams: [
        { key: "max_length", value: "1000" },
        { key: "enable_analyzer", value: "true" },
      ],
    }),
    field("day", varChar, { isClusteringKey: true, externalField: "day_column" }),
    field("tags", array, { elementType: varChar, typeParams: [{ key: "max_capacity", value: "4" }] }),
    field("vec", floatVector, { typeParams: [{ key: "dim", value: "8" }] }),
    field("sparse", 104, { isFunctionOutput: true }),
  ],
  properties: [{ key: "timezone", value: "UTC" }],
  functions: [
    {
      id: "0",
      name: "bm25",
      description: "full text",
      type: 1,
      inputFieldNames: ["text"],
      inputFieldIds: [],
      outputFieldNames: ["sparse"],
      outputFieldIds: [],
      params: [{ key: "k", value: "v" }],
    },
  ],
  structArrayFields: [
    {
      fieldId: "0",
      name: "clips",
      description: "parts",
      typeParams: [{ key: "max_capacity", value: "4" }],
      nullable: true,
      fields: [field("start", array, { elementType: int64 })],
    },
  ],
  enableNamespace: true,
  externalSource: "s3://lake/docs/",
  externalSpec: '{"format":"parquet"}',
};

describe("collections of Milvus 2.4 and newer", () => {
  let fake: FakeMilvus;
  let milvus: Milvus;

  async function start(version: string): Promise<void> {
    fake = await startFakeMilvus({ version });
    milvus = await connectMilvus(milvusEnvironment(fake.grpc.port));
  }
  beforeEach(() => start("v2.6.8"));
  afterEach(async () => {
    closeMilvusConnections();
    await fake.close();
  });

  it("creates a collection that is described as it was asked for", async () => {
    fake.grpc.on("AlterCollection", () => success);
    fake.grpc.on("CreateCollection", ({ schema, shards_num, consistency_level, properties }) => {
      const created = decodeSchemaMessage("CollectionSchema", schema as Buffer);
      fake.grpc.on("DescribeCollection", () => ({
        status: success,
        schema: created,
        collectionID: "470615367219150891",
        db_id: "470615367219150001",
        created_timestamp: "18446744073709551615",
        shards_num,
        consistency_level,
        properties,
        aliases: ["docs_alias"],
        virtual_channel_names: ["ch_0v0"],
        physical_channel_names: ["ch_0"],
      }));
      return success;
    });
    const request = collectionRequest("docs", {
      schema: richSchema,
      shards: 3,
      consistencyLevel: 1,
      properties: [
        { key: "collection.ttl.seconds", value: "3600" },
        { key: "disable_func_runtime_check", value: "true" },
      ],
    });

    await milvus.createCollection(request);
    const description = await milvus.describeCollection(request.name);

    expect(description).toEqual({
      name: request.name,
      id: "470615367219150891",
      databaseId: "470615367219150001",
      schema: richSchema,
      shards: 3,
      consistencyLevel: 1,
      properties: request.properties,
      aliases: ["docs_alias"],
      createdTimestamp: "18446744073709551615",
      virtualChannels: ["ch_0v0"],
      physicalChannels: ["ch_0"],
    });
  });

  it("asks for the partition count and sends the request to its database", async () => {
    fake.grpc.on("CreateCollection", () => success);
    const name = { database: "shop", collection: "docs" };

    await milvus.createCollection({ ...collectionRequest("docs", { partitionCount: 7 }), name });

    expect(fake.grpc.requests).toMatchObject([
      { call: "CreateCollection", database: "shop", request: { db_name: "shop", num_partitions: "7" } },
    ]);
  });

  it("names the database of a collection again when it renames it", async () => {
    fake.grpc.on("RenameCollection", () => success);

    await milvus.renameCollection({ database: "shop", collection: "docs_working" }, "docs");
    await milvus.renameCollection({ database: "default", collection: "docs_working" }, "docs");

    expect(fake.grpc.requests).toMatchObject([
      {
        database: "shop",
        request: { db_name: "shop", oldName: "docs_working", newDBName: "shop", newName: "docs" },
      },
      { request: { newDBName: "default" } },
    ]);
  });

  it.each([
    ["maximum shards's number should be limited to 16", 16],
    ["maximum shard's number should be limited to 1", 1],
    ["collection name should not be empty", undefined],
  ])("asks for the limit of shards with a collection that cannot be made: %s", async (reason, limit) => {
    fake.grpc.on("CreateCollection", () => ({ error_code: "UnexpectedError", code: 65535, reason }));

    expect(await milvus.shardLimit("shop", 17)).toBe(limit);
    expect(fake.grpc.requests).toMatchObject([
      { call: "CreateCollection", request: { db_name: "shop", collection_name: "", shards_num: 17 } },
    ]);
  });

  it.each([
    ["LoadStateNotLoad", false],
    ["LoadStateLoading", true],
    ["LoadStateLoaded", true],
  ])("%s: loaded is %j", async (state, loaded) => {
    fake.grpc.on("GetLoadState", () => ({ status: success, state }));

    expect(await milvus.isLoaded({ database: "shop", collection: "docs" })).toBe(loaded);
  });

  it("adds fields that came later one by one, in order", async () => {
    fake.grpc.on("CreateCollection", () => success);
    fake.grpc.on("AddCollectionField", () => success);
    const addedFields = [
      field("later", int64, { nullable: true }),
      field("last", varChar, { nullable: true, defaultValueBase64: defaultValue({ string_data: "x" }) }),
    ];

    await milvus.createCollection(collectionRequest("docs", { addedFields }));

    const added = fake.grpc.requests.filter(({ call }) => call === "AddCollectionField");
    expect(added.map(({ request }) => decodeSchemaMessage("FieldSchema", request.schema as Buffer))).toMatchObject([
      { name: "later", nullable: true, default_value: null },
      { name: "last", nullable: true, default_value: { string_data: "x" } },
    ]);
  });

  it("keeps functions from running while their collection is created (2.6.8), then sets the property back", async () => {
    fake.grpc.on("CreateCollection", () => success);
    fake.grpc.on("AlterCollection", () => success);

    await milvus.createCollection(collectionRequest("docs", { schema: richSchema }));

    expect(fake.grpc.requests.map(({ call, request }) => [call, request.properties])).toEqual([
      ["CreateCollection", [{ key: "disable_func_runtime_check", value: "true" }]],
      ["AlterCollection", [{ key: "disable_func_runtime_check", value: "false" }]],
    ]);
  });

  it("leaves that property alone before 2.6.8", async () => {
    closeMilvusConnections();
    await fake.close();
    await start("v2.6.7");
    fake.grpc.on("CreateCollection", () => success);

    await milvus.createCollection(collectionRequest("docs", { schema: richSchema }));

    expect(fake.grpc.requests.map(({ call, request }) => [call, request.properties])).toEqual([
      ["CreateCollection", []],
    ]);
  });

  it("describes a database with its ID and properties", async () => {
    const properties = [{ key: "database.replica.number", value: "2" }];
    fake.grpc.on("DescribeDatabase", () => ({ status: success, dbID: "470615367219150777", properties }));

    const description = await milvus.describeDatabase("shop");

    expect(description).toEqual({ name: "shop", id: "470615367219150777", properties });
    expect(fake.grpc.requests).toMatchObject([{ request: { db_name: "shop" } }]);
  });

  it("flushes, waits, and keeps the channel checkpoints", async () => {
    const states = [false, true];
    fake.grpc.on("Flush", () => ({
      status: success,
      coll_segIDs: { docs: { data: ["470615367219150901"] } },
      flush_coll_segIDs: { docs: { data: ["470615367219150900", "470615367219150901"] } },
      coll_seal_times: { docs: "1795261448" },
      coll_flush_ts: { docs: "470616978630901766" },
      channel_cps: {
        ch_0v0: { channel_name: "ch_0v0", msgID: Buffer.from([1, 2]), timestamp: "470616978630901767" },
        ch_1v1: { channel_name: "ch_1v1", msgID: Buffer.from([3]), timestamp: "470616978630901765" },
      },
    }));
    fake.grpc.on("GetFlushState", () => ({ status: success, flushed: states.shift() ?? true }));

    const flushed = await milvus.flush({ database: "default", collection: "docs" });

    expect(flushed).toMatchObject({
      segmentIds: ["470615367219150900", "470615367219150901"],
      channelTimestamp: "470616978630901767",
      sealTime: 1795261448,
    });
    expect(Object.keys(flushed.channelCheckpoints)).toEqual(["ch_0v0", "ch_1v1"]);
    expect(states).toEqual([]);
    expect(fake.grpc.requests.at(-1)?.request).toMatchObject({
      segmentIDs: ["470615367219150901"],
      flush_ts: "470616978630901766",
    });
  });

  it("lists levels, storage versions and states of segments", async () => {
    const info = { collectionID: "1", num_rows: "9007199254740993", storage_version: "2" };
    fake.grpc.on("GetPersistentSegmentInfo", () => ({
      status: success,
      infos: [
        { ...info, segmentID: "470615367219150900", partitionID: "-1", state: "Flushed", level: "L0" },
        {
          ...info,
          segmentID: "470615367219150901",
          partitionID: "470615367219150899",
          state: "Importing",
          level: "L1",
        },
        { ...info, segmentID: "470615367219150902", partitionID: "470615367219150899", state: "Flushed", level: "L2" },
      ],
    }));

    const segments = await milvus.listSegments({ database: "default", collection: "docs" });

    const shared = { collectionId: "1", rows: 9007199254740993n, storageVersion: "2", isSorted: false };
    const partitionId = "470615367219150899";
    expect(segments).toEqual([
      { ...shared, id: "470615367219150900", partitionId: "-1", state: "Flushed", isL0: true, isL2: false },
      { ...shared, id: "470615367219150901", partitionId, state: "Importing", isL0: false, isL2: false },
      { ...shared, id: "470615367219150902", partitionId, state: "Flushed", isL0: false, isL2: true },
    ]);
  });
});
