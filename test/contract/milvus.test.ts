import { MilvusClient } from "@zilliz/milvus2-sdk-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { closeMilvusConnections, connectMilvus } from "../../src/adapters/milvus/index.ts";
import { MemoryMilvus } from "../support/memory-milvus.ts";
import { milvusEnvironment } from "../support/milvus-environment.ts";
import { collectionRequest } from "../support/milvus-fields.ts";
import { milvusContract } from "./milvus-suite.ts";

/** milvus-a of the local stack: Milvus 2.3.5, its data in bucket-a below `files`. */
const port = 19530;

milvusContract("Milvus 2.3.5 of the local stack", async () => {
  const milvus = await connectMilvus(milvusEnvironment(port));
  const sdk = new MilvusClient({ address: milvus.address, logLevel: "error" });
  return {
    milvus,
    async insert(name, rows, firstId) {
      const { status } = await sdk.insert({
        db_name: name.database,
        collection_name: name.collection,
        data: Array.from({ length: rows }, (_, row) => ({ id: firstId + row, vec: [row, 1, 2, 3] })),
      });
      if (status.error_code !== "Success") throw new Error(status.reason);
    },
    insertDirectory: (collectionId, partitionId) => `files/insert_log/${collectionId}/${partitionId}/`,
    async close() {
      closeMilvusConnections();
      await sdk.closeConnection();
    },
  };
});

milvusContract("in memory", async () => {
  const milvus = new MemoryMilvus({ rowsOf: () => 30n });
  return {
    milvus,
    insert: async (name, rows) => milvus.growRows(name, rows),
    insertDirectory: (collectionId, partitionId) => `files/insert_log/${collectionId}/${partitionId}/`,
    close: async () => undefined,
  };
});

describe("Milvus 2.3.5 keeps the aliases of collections that others dropped", () => {
  let sdk: MilvusClient;
  const gone = { database: "default", collection: "contract_gone" };
  const heir = { database: "default", collection: "contract_heir" };

  beforeAll(() => {
    sdk = new MilvusClient({ address: `127.0.0.1:${port}`, logLevel: "error" });
  });
  afterAll(async () => {
    closeMilvusConnections();
    await sdk.closeConnection();
  });

  it("such an alias is free", async () => {
    const milvus = await connectMilvus(milvusEnvironment(port));
    for (const { collection } of [gone, heir]) await milvus.createCollection(collectionRequest(collection));
    await milvus.createAlias(gone, "contract_left");
    await sdk.dropCollection({ collection_name: gone.collection });
    const refused = await sdk.createAlias({ collection_name: heir.collection, alias: "contract_left" });

    await milvus.createAlias(heir, "contract_left");

    // why the adapter does more than the call
    expect(refused.reason).toContain("alias already exist");
    expect((await milvus.describeCollection(heir)).aliases).toEqual(["contract_left"]);
    await milvus.dropCollection(heir);
  });
});
