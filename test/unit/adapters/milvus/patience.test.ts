import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { closeMilvusConnections, connectMilvus } from "../../../../src/adapters/milvus/index.ts";
import type { CreateCollectionRequest, Milvus } from "../../../../src/ports/milvus.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { success } from "../../../support/fake-milvus/grpc-server.ts";
import { type FakeMilvus, startFakeMilvus } from "../../../support/fake-milvus/index.ts";
import { failure } from "../../../support/fake-milvus/rest-server.ts";
import { milvusEnvironment } from "../../../support/milvus-environment.ts";
import { shortPatience } from "../../../support/short-patience.ts";

const name = { database: "default", collection: "coll" };
const rateLimited = { code: 8, error_code: "RateLimit", reason: "rate limit exceeded[rate=0.1]" };
const notReady = { code: 1, error_code: "NotReadyServe", reason: "service not ready" };

const { schema } = collectionDescription("coll");
const newCollection: CreateCollectionRequest = {
  name,
  schema,
  addedFields: [],
  shards: 1,
  consistencyLevel: 2,
  properties: [],
};

let fake: FakeMilvus;
let restarted: { close(): Promise<void> } | undefined;
beforeEach(async () => {
  fake = await startFakeMilvus({ version: "v2.4.0" });
});
afterEach(async () => {
  closeMilvusConnections();
  await restarted?.close();
  restarted = undefined;
  await fake.close();
});

function connect(patience: ReturnType<typeof shortPatience>["patience"]): Promise<Milvus> {
  return connectMilvus(milvusEnvironment(fake.grpc.port), { patience });
}

/** Makes a call answer with the given status a few times, then with `answer`; tells how often it was made. */
function answerLate(call: string, status: Record<string, unknown>, times: number, answer: Record<string, unknown>) {
  let made = 0;
  fake.grpc.on(call, () => {
    made += 1;
    return made <= times ? { status } : answer;
  });
  return () => made;
}

describe("a call that Milvus is too busy for", () => {
  it.each([
    ["a limited rate", rateLimited],
    ["a server that is not ready", notReady],
    ["a segment that compaction is replacing", { code: 600, error_code: "UnexpectedError", reason: "segment" }],
  ])("%s: is made again on the spot, and counted in the log", async (_, status) => {
    const { patience, logged } = shortPatience();
    const made = answerLate("HasCollection", status, 3, { status: success, value: true });

    expect(await (await connect(patience)).hasCollection(name)).toBe(true);
    expect(made()).toBe(4);
    expect(logged).toMatchObject([
      { message: "waiting", details: { for: expect.stringContaining("HasCollection at 127.0.0.1") } },
      { message: "waited", details: { waits: 3 } },
    ]);
  });

  it("is given up in the end, as it was told before", async () => {
    const { patience } = shortPatience({ rate: 40 });
    const made = answerLate("HasCollection", rateLimited, Number.POSITIVE_INFINITY, {});

    await expect((await connect(patience)).hasCollection(name)).rejects.toMatchObject({
      name: "MilvusBusy",
      message: expect.stringContaining("rate limit exceeded"),
    });
    expect(made()).toBeGreaterThan(1);
  });

  it("has more time where it is a flush, whose rate is limited to one in 10 s", async () => {
    const { patience } = shortPatience({ rate: 0 });
    const done = { status: success, coll_segIDs: {}, flush_coll_segIDs: {}, coll_seal_times: {}, channel_cps: {} };
    const made = answerLate("Flush", rateLimited, 3, done);
    fake.grpc.on("GetFlushState", () => ({ status: success, flushed: true }));

    await (await connect(patience)).flush(name);

    expect(made()).toBe(4);
  });

  it("is made again where Milvus has not begun with it, even if it may not be made twice", async () => {
    const { patience } = shortPatience();
    let count = 0;
    fake.grpc.on("CreateCollection", () => {
      count += 1;
      return count <= 2 ? rateLimited : success;
    });

    await (await connect(patience)).createCollection(newCollection);

    expect(count).toBe(3);
  });

  it("is not made twice where it creates something and may have been done", async () => {
    const { patience } = shortPatience();
    let count = 0;
    fake.grpc.on("CreateCollection", () => {
      count += 1;
      return notReady;
    });

    await expect((await connect(patience)).createCollection(newCollection)).rejects.toMatchObject({
      name: "MilvusBusy",
    });
    expect(count).toBe(1);
  });

  it("is thrown at once without patience", async () => {
    const made = answerLate("HasCollection", rateLimited, 1, { status: success, value: true });
    const milvus = await connectMilvus(milvusEnvironment(fake.grpc.port));

    await expect(milvus.hasCollection(name)).rejects.toMatchObject({ name: "MilvusBusy" });
    expect(made()).toBe(1);
  });
});

describe("a Milvus that restarts", () => {
  it("is waited for once it has answered", async () => {
    const { patience, logged } = shortPatience();
    const milvus = await connect(patience);
    await fake.grpc.close();

    const asked = milvus.hasCollection(name);
    await expect.poll(() => logged.length).toBeGreaterThan(0);
    const again = await startFakeMilvus({ version: "v2.4.0", at: fake.port });
    restarted = again;
    again.grpc.on("HasCollection", () => ({ status: success, value: true }));

    expect(await asked).toBe(true);
    expect(logged[0]).toMatchObject({ message: "waiting", details: { reason: "outage" } });
  });

  it("is not waited for on the first contact: the address may be wrong", async () => {
    const { patience, logged } = shortPatience();
    await fake.grpc.close();

    await expect(connect(patience)).rejects.toMatchObject({ name: "MilvusUnreachable" });
    expect(logged).toEqual([]);
  });

  it("does not get an import twice whose answer was lost", async () => {
    const { patience, logged } = shortPatience();
    const milvus = await connect(patience);
    fake.rest.answerOnce(502, "bad gateway");

    const files = [{ insert: "stage/1/", delta: "" }];
    const submitted = milvus.submitImport({ name, partition: "p", kind: "segments", storageVersion: "0", files });

    await expect(submitted).rejects.toMatchObject({ name: "MilvusBusy", details: { mayHaveBegun: true } });
    expect(fake.rest.requests).toHaveLength(1);
    expect(logged).toEqual([]);
  });

  it("gets an import again that its limit of imports refused, and every question again", async () => {
    const { patience } = shortPatience();
    const milvus = await connect(patience);
    const files = [{ insert: "stage/1/", delta: "" }];
    fake.rest.answerOnce(200, failure(8, "rate limit exceeded"));
    await milvus.submitImport({ name, partition: "p", kind: "segments", storageVersion: "0", files });
    expect(fake.rest.jobs).toHaveLength(1);

    fake.rest.answerOnce(503, "");
    expect(await milvus.listImports(name)).toHaveLength(1);
  });
});
