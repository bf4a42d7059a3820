import protobuf from "protobufjs/light.js";
import { afterEach, describe, expect, test } from "vitest";
import { closeMilvusConnections, connectMilvus } from "../../../../src/adapters/milvus/index.ts";
import { encodeImmutableMessage, encodeMessagePosition } from "../../../../src/adapters/milvus/protocol.ts";
import type { Milvus } from "../../../../src/ports/milvus.ts";
import { success } from "../../../support/fake-milvus/grpc-server.ts";
import { type FakeMilvus, startFakeMilvus } from "../../../support/fake-milvus/index.ts";
import { milvusEnvironment } from "../../../support/milvus-environment.ts";

let fake: FakeMilvus;
let milvus: Milvus;

async function start(version = "v2.6.11"): Promise<void> {
  fake = await startFakeMilvus({ version });
  milvus = await connectMilvus(milvusEnvironment(fake.grpc.port));
}

afterEach(async () => {
  closeMilvusConnections();
  await fake.close();
});

/** As `streaming/util/message` writes it. */
const tick = (timestamp: string) => BigInt(timestamp).toString(36);
const later = "462118447325249537";
const earlier = "462118447325249536";

const answer = {
  status: success,
  flush_all_msgs: {
    dml_0: { id: { id: "000a", WAL_name: 3 }, payload: Buffer.from([8, 1]), properties: { _tt: tick(later), _v: "1" } },
    dml_1: { id: { id: "000b", WAL_name: 0 }, payload: Buffer.alloc(0), properties: { _tt: tick(earlier), empty: "" } },
  },
  cluster_info: { cluster_id: "by-dev", cchannel: "dml_0_vcchan", pchannels: ["dml_0", "dml_1"] },
};

describe("FlushAll of Milvus 2.6.11", () => {
  test("is asked of the whole server, and is over at the earliest of its timestamps", async () => {
    await start();
    fake.grpc.on("FlushAll", () => answer);
    fake.grpc.on("GetFlushAllState", () => ({ status: success, flushed: true }));

    const flushed = await milvus.flushAll();
    expect(flushed).toMatchObject({
      timestamp: earlier,
      channels: { dml_0: later, dml_1: earlier },
      controlChannel: "dml_0_vcchan",
      physicalChannels: ["dml_0", "dml_1"],
    });
    expect(await milvus.isFlushedAll(flushed ?? { channels: {} })).toBe(true);

    const [asked, state] = fake.grpc.requests.slice(-2);
    expect(asked).toMatchObject({ call: "FlushAll", request: { db_name: "" } });
    expect(state).toMatchObject({
      call: "GetFlushAllState",
      request: { flush_all_tss: { dml_0: later, dml_1: earlier } },
    });
  });

  test("keeps its messages as Go writes them: nothing that is zero, but what a map holds", async () => {
    await start();
    fake.grpc.on("FlushAll", () => answer);

    const { dml_0: one, dml_1: other } = (await milvus.flushAll())?.messages ?? {};

    const parts = (base64: string) => fieldsOf(Buffer.from(base64, "base64"));
    const [first, second] = [parts(one ?? ""), parts(other ?? "")];
    expect(first.map(({ id }) => id)).toEqual([1, 2, 3, 3]);
    expect(fieldsOf(first[0]?.bytes ?? Buffer.alloc(0)).map(({ id }) => id)).toEqual([1, 2]);
    // no payload, and a WAL that is zero
    expect(second.map(({ id }) => id)).toEqual([1, 3, 3]);
    expect(fieldsOf(second[0]?.bytes ?? Buffer.alloc(0)).map(({ id }) => id)).toEqual([1]);
  });

  test.each([
    ["without messages, as before 2.6.11", { status: success, flush_all_ts: later }],
    ["with a message that tells no time", { status: success, flush_all_msgs: { dml_0: { properties: {} } } }],
  ])("is none %s", async (_, other) => {
    await start();
    fake.grpc.on("FlushAll", () => other);

    expect(await milvus.flushAll()).toBeUndefined();
  });

  test("is not asked of an older server, and is none of one that does not know it", async () => {
    await start("v2.6.10");
    expect(await milvus.flushAll()).toBeUndefined();
    expect(fake.grpc.requests).toEqual([]);
    await fake.close();
    closeMilvusConnections();

    await start("master-20260226-abcdef");
    fake.grpc.without("FlushAll");
    expect(await milvus.flushAll()).toBeUndefined();
  });
});

test("messages and positions are encoded to the bytes that Go's protobuf gives, as the metas of milvus-backup have them", () => {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
  const [whole, bare] = [
    { id: { id: "000a", WAL_name: 3 }, payload: Buffer.from([8, 1]), properties: { _tt: "3rj1frisd8g" } },
    { id: { id: "000b", WAL_name: 0 }, payload: Buffer.alloc(0), properties: { empty: "" } },
  ];

  expect(base64(encodeImmutableMessage(whole))).toBe("CggKBDAwMGEQAxICCAEaEgoDX3R0EgszcmoxZnJpc2Q4Zw==");
  expect(base64(encodeImmutableMessage(bare))).toBe("CgYKBDAwMGIaCQoFZW1wdHkSAA==");
  const position = { channel_name: "dml_0v0", msgID: Buffer.from([1, 2]), msgGroup: "", timestamp: later };
  expect(base64(encodeMessagePosition(position))).toBe("CgdkbWxfMHYwEgIBAiCBgOjH+MjxtAY=");
});

/** The fields of a message as they lie on the wire. */
function fieldsOf(bytes: Uint8Array): { id: number; bytes: Buffer }[] {
  const reader = protobuf.Reader.create(bytes);
  const fields: { id: number; bytes: Buffer }[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if ((tag & 7) === 2) fields.push({ id: tag >>> 3, bytes: Buffer.from(reader.bytes()) });
    else {
      reader.skipType(tag & 7);
      fields.push({ id: tag >>> 3, bytes: Buffer.alloc(0) });
    }
  }
  return fields;
}
