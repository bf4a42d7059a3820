import { randomBytes } from "node:crypto";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectS3 } from "../../src/adapters/s3/connection.ts";
import { openEnvironmentStore } from "../../src/adapters/store-opener.ts";
import type { Environment } from "../../src/core/environment/environment.ts";
import { lockingBucket } from "../support/locking-bucket.ts";
import { environmentOn, minioPair, startPair, stopPair } from "../support/minio-pair.ts";
import { newBucket } from "../support/s3-stores.ts";
import { objectLockContract } from "./object-lock.contract.ts";
import { collect, md5 } from "./object-store.contract.ts";

/** The first one with MinIO has to build it. */
const patience = 600_000;

/** Milvus keeps its data in one store and its backups in another one; neither store knows the other's keys. */
const stores = minioPair("contract-stores", 9510);
const cross = environmentOn("cross", stores.a, { backups: stores.b });

beforeAll(() => startPair(stores), patience);
afterAll(() => stopPair(stores));

async function put(environment: Environment, key: string, body: Buffer): Promise<void> {
  const { client } = connectS3(environment.storage);
  await client.send(new PutObjectCommand({ Bucket: environment.storage.bucket, Key: key, Body: body }));
}

const urlOf = ({ accessKeyId, secretAccessKey, address }: typeof stores.a) =>
  `http://${accessKeyId}:${secretAccessKey}@${address}`;

for (const copyMode of ["server-side", "streamed"] as const) {
  objectLockContract(`MinIO, ${copyMode}`, async () => ({
    source: await newBucket(urlOf(stores.a)),
    locking: await lockingBucket(urlOf(stores.a), { copyMode, multipartCopyThresholdBytes: 16 * 2 ** 20 }),
    plain: await newBucket(urlOf(stores.a), { copyMode }),
  }));
}

test("either store refuses the other's keys", async () => {
  const own = environmentOn("own", stores.a);
  const keysOfB = { MINIO_ACCESS_KEY: stores.b.accessKeyId, MINIO_SECRET_KEY: stores.b.secretAccessKey };
  const mixedUp = environmentOn("mixed-up", stores.a, { set: keysOfB });

  await expect((await openEnvironmentStore(own, "milvus")).checkAccess()).resolves.toBeUndefined();
  await expect((await openEnvironmentStore(mixedUp, "milvus")).checkAccess()).rejects.toMatchObject({
    name: "StoreAccessDenied",
    message: expect.stringMatching(`bucket-a at ${stores.a.address}.*es-b`),
  });
});

describe("one environment across two stores", () => {
  test.each([
    ["a small object", 4_321],
    ["an object in parts", 40 * 2 ** 20 + 7],
  ])("%s is read with the one's keys and written with the other's", async (name, bytes) => {
    const body = randomBytes(bytes);
    const key = `files/insert_log/1/2/3/${name}`;
    await put(cross, key, body);
    const [milvus, backup] = [await openEnvironmentStore(cross, "milvus"), await openEnvironmentStore(cross, "backup")];
    const [object] = await collect(milvus.list(key));
    if (object === undefined) throw new Error("the test did not put its object");

    const copied = await backup.copyFrom(milvus, object, `backup/${name}`);
    const again = await backup.copyFrom(milvus, object, `backup/${name}`);

    expect(copied).toMatchObject({ size: bytes, checksum: `md5:${md5(body)}`, skipped: false });
    expect(again.skipped).toBe(true);
    expect(await backup.head(`backup/${name}`)).toMatchObject({ size: bytes });
    expect(await milvus.head(`backup/${name}`)).toBeUndefined();
  });

  test("every other request goes to the one it is meant for", async () => {
    const [milvus, backup] = [await openEnvironmentStore(cross, "milvus"), await openEnvironmentStore(cross, "backup")];
    await Promise.all([milvus.checkAccess(), backup.checkAccess()]);

    await milvus.putText("files/only-a", "a");
    await backup.putText("backup/only-b", "b", { ifAbsent: true });

    expect(await milvus.getText("files/only-a")).toBe("a");
    expect(await backup.getText("backup/only-b")).toBe("b");
    expect(await backup.head("files/only-a")).toBeUndefined();
    expect(await backup.listDirectories("")).toEqual(["backup/"]);
    await backup.deleteKeys(["backup/only-b", "backup/never-there"]);
    expect(await backup.head("backup/only-b")).toBeUndefined();
    expect(await milvus.deletePrefix("files/only")).toBe(1);
  });

  test.each([
    ["MINIO_BACKUP_ACCESS_KEY", "MINIO_BACKUP_SECRET_KEY", "backup", "bucket-b", stores.b.address],
    ["MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "milvus", "bucket-a", stores.a.address],
  ] as const)("wrong %s is told of the right store, and the other store is not asked with them", async (...told) => {
    const [accessKey, secretKey, side, bucket, address] = told;
    const environment = environmentOn("wrong", stores.a, {
      backups: stores.b,
      set: { [accessKey]: "somebody-else", [secretKey]: "their-secret" },
    });
    const other = side === "backup" ? "milvus" : "backup";

    await expect((await openEnvironmentStore(environment, side)).checkAccess()).rejects.toMatchObject({
      name: "StoreAccessDenied",
      message: expect.stringMatching(new RegExp(`bucket ${bucket} at ${address}: .*access key \\.\\.\\.else`)),
    });
    await expect((await openEnvironmentStore(environment, other)).checkAccess()).resolves.toBeUndefined();
  });
});

test("a store that has to copy server-side cannot read the other one, and says so", async () => {
  const serverSide = environmentOn("server-side", stores.b, { set: { "minio.copyMode": "server-side" } });
  await put(cross, "files/insert_log/9", Buffer.from("log"));
  const milvus = await openEnvironmentStore(cross, "milvus");
  const backup = await openEnvironmentStore(serverSide, "backup");
  const [object] = await collect(milvus.list("files/insert_log/9"));
  if (object === undefined) throw new Error("the test did not put its object");

  await expect(backup.copyFrom(milvus, object, "backup/9")).rejects.toMatchObject({
    name: "InvalidEnvironment",
    message: expect.stringMatching(/copyMode is server-side.*bucket-a/),
  });
  expect(await backup.head("backup/9")).toBeUndefined();
});
