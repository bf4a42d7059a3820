import { MilvusClient } from "@zilliz/milvus2-sdk-node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadKeys, runUpsertLoop } from "../../../measure/upsert-loop.ts";
import { success } from "../../support/fake-milvus/grpc-server.ts";
import { type FakeMilvus, startFakeMilvus } from "../../support/fake-milvus/index.ts";

const collection = "load";
const refusal = { error_code: "UnexpectedError", code: 8, reason: "request is rejected by the rate limiter" };

/** `coll_flush_ts`: now, as Milvus tells it, so many milliseconds off. */
function flushTimestamp(off = 0): string {
  return String(BigInt(Date.now() + off) << 18n);
}

describe("the load of upserts", () => {
  let fake: FakeMilvus;
  let client: MilvusClient;
  let stop: AbortController;

  beforeEach(async () => {
    fake = await startFakeMilvus({ version: "2.3.5" });
    stop = new AbortController();
    const fields = [
      { fieldID: 100, name: "id", data_type: "Int64", is_primary_key: true },
      { fieldID: 101, name: "version", data_type: "Int64" },
      { fieldID: 102, name: "embedding", data_type: "FloatVector", type_params: [{ key: "dim", value: "8" }] },
    ];
    for (const call of ["DropCollection", "CreateCollection", "CreateIndex"]) fake.grpc.on(call, () => success);
    fake.grpc.on("ListAliases", () => ({ status: success, aliases: [] }));
    fake.grpc.on("DescribeCollection", () => ({ status: success, schema: { name: collection, fields } }));
    fake.grpc.on("Upsert", () => ({ status: success }));
    fake.grpc.on("Flush", () => ({ status: success, coll_flush_ts: { [collection]: flushTimestamp() } }));
    fake.grpc.on("ManualCompaction", () => ({ status: success }));
    client = new MilvusClient({ address: `127.0.0.1:${fake.grpc.port}`, logLevel: "warn" });
    await client.connectPromise;
  });
  afterEach(async () => {
    await client.closeConnection();
    await fake.close();
  });

  it("writes every key before it says that it runs, then each again in higher versions", async () => {
    let filled: number | undefined;
    const upserts = () => fake.grpc.requests.filter(({ call }) => call === "Upsert");

    const log = await runUpsertLoop(client, { collection, forMs: 400 }, stop.signal, () => {
      filled = upserts().length;
    });

    const keysOf = (writes: typeof log.writes) => new Set(writes.flatMap(({ keys }) => keys));
    expect(keysOf(log.writes.slice(0, filled)).size).toBe(loadKeys);
    expect(log.writes.length).toBeGreaterThan(filled ?? Infinity);
    expect(upserts()).toHaveLength(log.writes.length);
    expect(log.writes.map(({ version }) => version)).toEqual(log.writes.map((_, index) => index + 1));
    for (const { sent, acknowledged = 0 } of log.writes) expect(acknowledged).toBeGreaterThanOrEqual(sent);
  });

  it("goes on where Milvus refuses for a moment, with the same keys in a new version", async () => {
    let upserts = 0;
    fake.grpc.on("Upsert", () => {
      upserts += 1;
      return { status: upserts % 3 === 0 ? refusal : success };
    });
    fake.grpc.on("ManualCompaction", () => ({ status: refusal }));

    const loop = { collection, compactEveryMs: 50, forMs: 400 };
    const log = await runUpsertLoop(client, loop, stop.signal, () => {});

    const refused = log.writes.filter(({ acknowledged }) => acknowledged === undefined);
    expect(refused.map(({ version }) => version % 3)).toEqual(refused.map(() => 0));
    expect(refused.length).toBeGreaterThan(0);
    for (const { version, keys } of refused) expect(log.writes[version]?.keys).toEqual(keys);
    expect(log.compactions).toBe(0);
    expect(log.refused).toBeGreaterThan(refused.length);
  });

  it("ends when it is stopped", async () => {
    const log = await runUpsertLoop(client, { collection, forMs: 3_600_000 }, stop.signal, () =>
      setTimeout(() => stop.abort(), 100),
    );

    expect(log.writes.at(-1)?.acknowledged).toBeDefined();
  });

  it("waits for a server whose clock is ahead for a moment", async () => {
    let flushes = 0;
    fake.grpc.on("Flush", () => {
      flushes += 1;
      return { status: success, coll_flush_ts: { [collection]: flushTimestamp(flushes === 1 ? 60_000 : 0) } };
    });

    await runUpsertLoop(client, { collection, forMs: 100 }, stop.signal, () => {
      expect(flushes).toBe(2);
    });
    expect(flushes).toBeGreaterThanOrEqual(2);
  });
});
