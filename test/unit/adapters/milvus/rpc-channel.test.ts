import { afterEach, expect, test } from "vitest";
import { closeMilvusConnections, connectMilvus } from "../../../../src/adapters/milvus/index.ts";
import { type FakeMilvus, startFakeMilvus } from "../../../support/fake-milvus/index.ts";
import { milvusEnvironment } from "../../../support/milvus-environment.ts";

let fake: FakeMilvus;

async function start(version: string) {
  fake = await startFakeMilvus({ version });
  return connectMilvus(milvusEnvironment(fake.grpc.port));
}

afterEach(async () => {
  closeMilvusConnections();
  await fake.close();
});

const refusal = (code: number) => () => ({ status: { error_code: "UnexpectedError", code, reason: "deny to use it" } });

test("the position of a channel is asked for with a request without messages", async () => {
  const milvus = await start("v2.5.12");

  const position = await milvus.rpcChannelPosition("by-dev-replicate-msg");

  expect(Buffer.from(position ?? "", "base64").toString()).toMatch(/^by-dev-replicate-msg:/);
  expect(fake.grpc.requests).toMatchObject([
    { call: "ReplicateMessage", request: { channel_name: "by-dev-replicate-msg", Msgs: [] } },
  ]);
});

test("a server that takes part in no replication has none; another refusal is one", async () => {
  const milvus = await start("v2.5.12");
  fake.grpc.on("ReplicateMessage", refusal(1900));
  expect(await milvus.rpcChannelPosition("c")).toBeUndefined();
  fake.grpc.without("ReplicateMessage");
  expect(await milvus.rpcChannelPosition("c")).toBeUndefined();

  fake.grpc.on("ReplicateMessage", refusal(1901));
  await expect(milvus.rpcChannelPosition("c")).rejects.toThrow("refused ReplicateMessage (channel c): deny to use it");
});

test.each(["v2.4.15", "v2.6.0", "master-20260226-abcdef"])("%s is not asked", async (version) => {
  const milvus = await start(version);

  expect(await milvus.rpcChannelPosition("c")).toBeUndefined();
  expect(fake.grpc.requests).toEqual([]);
});
