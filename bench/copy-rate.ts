import { randomBytes } from "node:crypto";
import { PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import pLimit from "p-limit";
import { aws, backupPlace, s3Client } from "../local/index.ts";
import { connectS3 } from "../src/adapters/s3/connection.ts";
import { S3ObjectStore } from "../src/adapters/s3/object-store.ts";
import type { CopyMode, StorageSettings } from "../src/core/environment/environment.ts";

/** One way of copying, measured. */
export interface CopyRate {
  readonly copyMode: CopyMode;
  readonly objects: number;
  /** Bytes. */
  readonly objectSize: number;
  readonly inFlight: number;
  readonly milliseconds: number;
}

const prefix = "bench/copy-rate/";

/**
 * As the copy step has them: many small objects at once, few large ones. Large ones are not copied server-side: the emulator does
 * not move their bytes, and the figure would say nothing.
 */
const cases = [
  { copyMode: "server-side", objects: 1_000, objectSize: 16 * 2 ** 10, inFlight: 32 },
  { copyMode: "streamed", objects: 1_000, objectSize: 16 * 2 ** 10, inFlight: 32 },
  { copyMode: "streamed", objects: 16, objectSize: 8 * 2 ** 20, inFlight: 8 },
] as const;

/** Copies objects within the emulator's S3, with the pipeline's own object store but in this process. */
export async function measureCopyRates(signal: AbortSignal): Promise<CopyRate[]> {
  const client = s3Client();
  const rates: CopyRate[] = [];
  try {
    for (const one of cases) {
      signal.throwIfAborted();
      const store = new S3ObjectStore(connectS3(settings), settings.bucket, { copyMode: one.copyMode });
      await store.deletePrefix(prefix);
      await putObjects(client, one);
      rates.push({ ...one, milliseconds: await copyAll(store, one.inFlight) });
      await store.deletePrefix(prefix);
    }
    return rates;
  } finally {
    client.destroy();
  }
}

const settings: StorageSettings = {
  type: "minio",
  address: aws.host,
  port: aws.port,
  region: aws.region,
  useSSL: false,
  bucket: backupPlace.bucket,
  rootPath: "",
  credentials: { kind: "static", accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey, token: "" },
};

async function putObjects(client: S3Client, { objects, objectSize }: (typeof cases)[number]): Promise<void> {
  const limit = pLimit(16);
  await Promise.all(
    Array.from({ length: objects }, (_, index) =>
      limit(() =>
        client.send(
          new PutObjectCommand({
            Bucket: settings.bucket,
            Key: `${prefix}from/${index}`,
            Body: randomBytes(objectSize),
          }),
        ),
      ),
    ),
  );
}

/** Milliseconds to list and copy everything. */
async function copyAll(store: S3ObjectStore, inFlight: number): Promise<number> {
  const began = performance.now();
  const limit = pLimit(inFlight);
  const copies: Promise<unknown>[] = [];
  for await (const object of store.list(`${prefix}from/`)) {
    const key = object.key.replace("/from/", "/to/");
    copies.push(limit(() => store.copyFrom(store, object, key, { existing: null })));
  }
  await Promise.all(copies);
  return performance.now() - began;
}
