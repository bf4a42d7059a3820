import protobuf from "protobufjs/light.js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { closeMilvusConnections, connectMilvus } from "../../../../src/adapters/milvus/index.ts";
import { rpcMethod } from "../../../../src/adapters/milvus/protocol.ts";
import type { Milvus } from "../../../../src/ports/milvus.ts";
import { success } from "../../../support/fake-milvus/grpc-server.ts";
import { type FakeMilvus, startFakeMilvus } from "../../../support/fake-milvus/index.ts";
import { milvusEnvironment } from "../../../support/milvus-environment.ts";

const name = { database: "default", collection: "docs" };

/** A message with its fields in order: numbers as varints, everything else with its length. */
function message(...fields: readonly [number: number, value: number | string | Uint8Array][]): Uint8Array {
  const writer = protobuf.Writer.create();
  for (const [number, value] of fields) {
    if (typeof value === "number") writer.uint32(number << 3).uint32(value);
    else if (typeof value === "string") writer.uint32((number << 3) | 2).string(value);
    else writer.uint32((number << 3) | 2).bytes(value);
  }
  return writer.finish();
}

describe("what a newer server describes", () => {
  test("is named by message and number, however deep it lies, once for all fields that have it", () => {
    const { deserialize } = rpcMethod("DescribeCollection");
    const field = (id: number) => message([1, id], [2, `f${id}`], [40, "how it is kept"], [5, 5]);
    const schema = message([1, "docs"], [4, field(100)], [4, field(101)], [30, message([1, 7])]);
    const answer = message([2, schema], [3, 470], [50, 1]);

    const { unknown_fields: unknown, schema: read } = deserialize(answer);

    expect(unknown).toEqual(["FieldSchema 40", "CollectionSchema 30", "DescribeCollectionResponse 50"]);
    // and what is known is read as ever
    expect(read).toMatchObject({ name: "docs", fields: [{ name: "f100" }, { name: "f101", data_type: 5 }] });
  });

  test("is nothing where all is known; other answers are not looked through", () => {
    const { deserialize } = rpcMethod("DescribeIndex");
    expect(deserialize(message([2, message([1, "idx"], [2, 7])])).unknown_fields).toEqual([]);
    expect(rpcMethod("ShowCollections").deserialize(message([99, 1]))).not.toHaveProperty("unknown_fields");
  });
});

describe("what is in no backup", () => {
  let fake: FakeMilvus;
  let milvus: Milvus;

  async function start(version = "v3.0.0"): Promise<void> {
    fake = await startFakeMilvus({ version });
    milvus = await connectMilvus(milvusEnvironment(fake.grpc.port));
  }
  beforeEach(() => start());
  afterEach(async () => {
    closeMilvusConnections();
    await fake.close();
  });

  test("is told of a collection and its indexes", async () => {
    fake.grpc.on("DescribeCollection", () => ({
      status: success,
      schema: { name: "docs", fields: [], file_resource_ids: ["7"], enable_dynamic_field: true },
      update_timestamp: "462118447325249537",
      num_partitions: "3",
    }));
    fake.grpc.on("DescribeIndex", () => ({
      status: success,
      index_descriptions: [{ index_name: "i", total_rows: 9 }],
    }));

    expect(await milvus.describeCollection(name)).toMatchObject({
      notCarried: ["file_resource_ids of CollectionSchema"],
    });
    expect((await milvus.listIndexes(name))[0]).not.toHaveProperty("notCarried");
  });

  test("are replicas, their resource groups and row policies", async () => {
    const replica = (group: string) => ({ replicaID: "1", resource_group_name: group });
    fake.grpc.on("GetReplicas", () => ({
      status: success,
      replicas: [replica("__default_resource_group"), replica("fast"), replica("fast")],
    }));
    fake.grpc.on("ListRowPolicies", () => ({ status: success, policies: [{ policy_name: "own_rows" }] }));

    expect(await milvus.beyondSchema(name, true)).toEqual([
      "its 3 replicas (one is loaded)",
      "its resource groups fast",
      "its row policies own_rows",
    ]);
  });

  test("nothing is told where there is nothing, or the server does not say", async () => {
    fake.grpc.on("GetReplicas", () => ({ status: success, replicas: [{ replicaID: "1" }] }));
    fake.grpc.without("ListRowPolicies");
    expect(await milvus.beyondSchema(name, true)).toEqual([]);

    fake.grpc.on("GetReplicas", () => ({ status: { error_code: "UnexpectedError", code: 65535, reason: "no" } }));
    expect(await milvus.beyondSchema(name, true)).toEqual([]);
  });

  test("an older server, and a collection that is not loaded, are not asked", async () => {
    await fake.close();
    closeMilvusConnections();
    await start("v2.6.12");

    expect(await milvus.beyondSchema(name, false)).toEqual([]);
    expect(fake.grpc.requests).toEqual([]);
  });
});
