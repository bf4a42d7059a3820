import { randomBytes } from "node:crypto";
import { GetObjectTaggingCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, describe, expect, test } from "vitest";
import { connectS3 } from "../../src/adapters/s3/connection.ts";
import { S3ObjectStore } from "../../src/adapters/s3/object-store.ts";
import { MemoryObjectStore } from "../support/memory-object-store.ts";
import { newBucket, removeBuckets, settingsOf } from "../support/s3-stores.ts";
import { objectLockContract } from "./object-lock.contract.ts";
import { collect, md5, objectStoreContract, type StoreFixture, summary } from "./object-store.contract.ts";

/**
 * The S3-compatible stores to run on, as `http://KEY:SECRET@HOST:PORT`, separated by commas: the emulator of the local stack unless
 * said otherwise (`CONTRACT_S3_STORES=http://minioadmin:minioadmin@127.0.0.1:9000 npm run test:contract` runs on a MinIO).
 */
const s3Stores = (process.env.CONTRACT_S3_STORES ?? "http://test:test@127.0.0.1:4566").split(",");
const mebibyte = 2 ** 20;

afterAll(removeBuckets);

objectStoreContract("memory", async () => ({
  source: memoryFixture("source"),
  destination: memoryFixture("destination"),
}));

objectLockContract("memory", async () => {
  const store = new MemoryObjectStore("locking", { objectLock: true });
  return {
    source: memoryFixture("source"),
    plain: memoryFixture("plain"),
    locking: {
      store,
      put: async (key, body) => store.seed(key, body),
      removeVersions: async (key) => store.removeVersions(key),
    },
  };
});

for (const url of s3Stores) {
  const { host } = new URL(url);

  objectStoreContract(`S3 at ${host}, server-side`, async () => ({
    source: await newBucket(url),
    destination: await newBucket(url, { copyMode: "server-side" }),
  }));

  objectStoreContract(`S3 at ${host}, streamed`, async () => ({
    source: await newBucket(url),
    destination: await newBucket(url, { copyMode: "streamed" }),
  }));

  describe(`large objects at ${host}`, () => {
    test.each([
      { copyMode: "server-side", multipartCopyThresholdBytes: 5 * mebibyte, bytes: 13 * mebibyte + 7, parts: 3 },
      { copyMode: "streamed", bytes: 20 * mebibyte + 7, parts: 3 },
    ] as const)("are copied in parts ($copyMode), whole, and known again", async ({ bytes, parts, ...options }) => {
      const body = randomBytes(bytes);
      const source = await newBucket(url);
      const destination = await newBucket(url, options);
      await source.put("large", body);
      const object = await summary(source, "large");

      const copied = await destination.store.copyFrom(source.store, object, "copy");
      const [existing] = await collect(destination.store.list("copy"));
      const again = await destination.store.copyFrom(source.store, object, "copy", { existing: existing ?? null });

      expect(copied).toMatchObject({ size: bytes, skipped: false });
      expect(copied.etag).toMatch(new RegExp(`-${parts}$`));
      expect(again.skipped).toBe(true);
      // of whatever kind the store reports; where it reports none it was read
      for (const { checksum } of [copied, again]) expect(checksum).toMatch(/^\w+:.+/);
      // back in one piece, so that its ETag is the MD5 of what really lies there
      const back = await newBucket(url, { copyMode: "streamed" });
      const returned = await back.store.copyFrom(destination.store, await summary(destination, "copy"), "back");
      expect(returned.checksum).toBe(`md5:${md5(body)}`);
    });
  });

  describe(`tags at ${host}`, () => {
    test.each([
      { copyMode: "server-side", bytes: 10 },
      { copyMode: "server-side", multipartCopyThresholdBytes: 5 * mebibyte, bytes: 6 * mebibyte },
      { copyMode: "streamed", bytes: 10 },
    ] as const)("of an object of $bytes bytes are not copied ($copyMode)", async ({ bytes, ...options }) => {
      const source = await newBucket(url);
      const destination = await newBucket(url, options);
      const body = randomBytes(bytes);
      const { client } = connectS3(source.settings);
      const tagged = { Bucket: source.settings.bucket, Key: "tagged", Body: body, Tagging: "team=search&secret=yes" };
      await client.send(new PutObjectCommand(tagged));

      await destination.store.copyFrom(source.store, await summary(source, "tagged"), "copy");

      const tagsOf = async (Bucket: string, Key: string) =>
        (await client.send(new GetObjectTaggingCommand({ Bucket, Key }))).TagSet;
      expect(await tagsOf(source.settings.bucket, "tagged")).toHaveLength(2);
      expect(await tagsOf(destination.settings.bucket, "copy")).toEqual([]);
    });
  });

  describe(`faults at ${host}`, () => {
    test("a bucket that does not exist is named with its address", async () => {
      const settings = settingsOf(url);
      const store = new S3ObjectStore(connectS3(settings), settings.bucket);

      await expect(store.checkAccess()).rejects.toMatchObject({
        name: "BucketNotFound",
        message: expect.stringMatching(new RegExp(`${settings.bucket}.*${host}`)),
      });
    });
  });
}

test("a store that does not answer is named with its address", async () => {
  const settings = settingsOf("http://key:secret@127.0.0.1:1");
  const store = new S3ObjectStore(connectS3(settings), settings.bucket);

  await expect(store.checkAccess()).rejects.toMatchObject({
    name: "StoreUnreachable",
    message: expect.stringContaining("127.0.0.1:1 cannot be reached (ECONNREFUSED)"),
  });
});

function memoryFixture(name: string): StoreFixture {
  const store = new MemoryObjectStore(name);
  return { store, put: async (key, body) => store.seed(key, body) };
}
