import { randomUUID } from "node:crypto";
import { CreateBucketCommand, DeleteBucketCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { connectS3 } from "../../src/adapters/s3/connection.ts";
import { S3ObjectStore, type S3ObjectStoreOptions } from "../../src/adapters/s3/object-store.ts";
import type { StorageSettings } from "../../src/core/environment/environment.ts";

/** Storage settings of an S3-compatible store given as `http://KEY:SECRET@HOST:PORT`. */
export function settingsOf(url: string, overrides: Partial<StorageSettings> = {}): StorageSettings {
  const { protocol, hostname, port, username, password } = new URL(url);
  const useSSL = protocol === "https:";
  return {
    type: "minio",
    address: hostname,
    port: Number(port || (useSSL ? 443 : 80)),
    region: "",
    useSSL,
    bucket: `contract-${randomUUID()}`,
    rootPath: "files",
    credentials: {
      kind: "static",
      accessKeyId: decodeURIComponent(username),
      secretAccessKey: decodeURIComponent(password),
      token: "",
    },
    ...overrides,
  };
}

const removals: (() => Promise<void>)[] = [];

/** Deletes every bucket that newBucket made; to be called when a test file is through. */
export async function removeBuckets(): Promise<void> {
  await Promise.all(removals.splice(0).map((remove) => remove()));
}

/** A new bucket in a store, with a way to put bytes of any size into it. */
export async function newBucket(url: string, options: S3ObjectStoreOptions = {}) {
  const settings = settingsOf(url);
  const connection = connectS3(settings);
  await connection.client.send(new CreateBucketCommand({ Bucket: settings.bucket }));
  const store = new S3ObjectStore(connection, settings.bucket, options);
  removals.push(async () => {
    await store.deletePrefix("");
    await connection.client.send(new DeleteBucketCommand({ Bucket: settings.bucket }));
  });
  return {
    settings,
    store,
    put: async (key: string, body: Buffer): Promise<void> => {
      await connection.client.send(new PutObjectCommand({ Bucket: settings.bucket, Key: key, Body: body }));
    },
  };
}
