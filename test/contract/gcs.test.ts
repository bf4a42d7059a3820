import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensureFakeGcs, fakeGcsService } from "../../local/fake-gcs.ts";
import { startService, stopService } from "../../local/index.ts";
import { connectGcs } from "../../src/adapters/gcs/bucket.ts";
import { GcsObjectStore } from "../../src/adapters/gcs/object-store.ts";
import type { StreamingStoreOptions } from "../../src/adapters/streams/streaming-store.ts";
import type { StorageSettings } from "../../src/core/environment/environment.ts";
import type { ByteRange, ObjectSummary } from "../../src/ports/object-store.ts";
import { MemoryObjectStore } from "../support/memory-object-store.ts";
import { collect, md5, objectStoreContract, type StoreFixture } from "./object-store.contract.ts";

const gcs = fakeGcsService({ name: "contract-gcs", port: 9570, buckets: [] });
const mebibyte = 2 ** 20;

beforeAll(async () => {
  await ensureFakeGcs();
  await startService(gcs, { afresh: true });
}, 600_000);
afterAll(() => stopService(gcs));

function settingsOf(bucket: string, port = gcs.port): StorageSettings {
  return {
    type: "gcpnative",
    address: gcs.host,
    port,
    region: "",
    useSSL: false,
    bucket,
    rootPath: "files",
    credentials: {
      kind: "google",
      json: JSON.stringify({ type: "service_account", client_email: "tests@example.com" }),
    },
  };
}

async function newBucket(options: StreamingStoreOptions = {}): Promise<StoreFixture> {
  const name = `contract-${randomUUID()}`;
  const { client } = connectGcs(settingsOf(name));
  await client.createBucket(name);
  return {
    store: new GcsObjectStore(connectGcs(settingsOf(name)), name, options),
    etag: /^\d+$/,
    async put(key, body) {
      await client.bucket(name).file(key).save(body, { resumable: false, validation: false });
    },
  };
}

objectStoreContract("Google's own interface in fake-gcs-server, server-side", async () => ({
  source: await newBucket(),
  destination: await newBucket({ copyMode: "server-side" }),
}));

objectStoreContract("Google's own interface in fake-gcs-server, streamed", async () => ({
  source: await newBucket(),
  destination: await newBucket({ copyMode: "streamed" }),
}));

describe("large objects", () => {
  test("are copied whole from another kind of store, and known again", async () => {
    const body = randomBytes(40 * mebibyte + 7);
    const memory = new MemoryObjectStore("elsewhere");
    memory.seed("large", body);
    const [object] = await collect(memory.list("large"));
    if (object === undefined) throw new Error("the test did not put its object");
    const destination = await newBucket();

    const copied = await destination.store.copyFrom(memory, object, "copy");
    const again = await destination.store.copyFrom(memory, object, "copy");

    expect(copied).toMatchObject({ size: body.length, checksum: `md5:${md5(body)}`, skipped: false });
    expect(again).toMatchObject({ skipped: true, checksum: copied.checksum });
    expect(md5(Buffer.from(await destination.store.getBytes("copy")))).toBe(md5(body));
  });

  test("whose source breaks in the middle leave nothing", async () => {
    const memory = new MemoryObjectStore("elsewhere");
    memory.seed("large", randomBytes(20 * mebibyte));
    const [object] = await collect(memory.list("large"));
    if (object === undefined) throw new Error("the test did not put its object");
    const destination = await newBucket();
    const readRange = memory.readRange.bind(memory);
    const broken = Object.assign(memory, {
      readRange: async (of: ObjectSummary, range: ByteRange) => {
        if (range.offset > 0) throw new Error("killed");
        return readRange(of, range);
      },
    });

    await expect(destination.store.copyFrom(broken, object, "copy")).rejects.toThrow("killed");

    expect(await destination.store.head("copy")).toBeUndefined();
  });
});

describe("what is wrong is told", () => {
  const check = (settings: StorageSettings) => new GcsObjectStore(connectGcs(settings), settings.bucket).checkAccess();

  test("a bucket that does not exist", async () => {
    await expect(check(settingsOf("nowhere"))).rejects.toMatchObject({
      name: "BucketNotFound",
      message: expect.stringContaining("bucket nowhere does not exist at 127.0.0.1:9570"),
    });
  });

  test("a store that does not answer", async () => {
    await expect(check(settingsOf("x", 1))).rejects.toMatchObject({
      name: "StoreUnreachable",
      message: expect.stringContaining("127.0.0.1:1 cannot be reached (ECONNREFUSED)"),
    });
  });
});
