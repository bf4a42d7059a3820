import { randomUUID } from "node:crypto";
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectRetentionCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
} from "@aws-sdk/client-s3";
import { connectS3 } from "../../src/adapters/s3/connection.ts";
import { S3ObjectStore, type S3ObjectStoreOptions } from "../../src/adapters/s3/object-store.ts";
import { settingsOf } from "./s3-stores.ts";

/** A new bucket with Object Lock on, which goes with the drive of its store: what is locked nobody removes. */
export async function lockingBucket(url: string, options: S3ObjectStoreOptions = {}) {
  const settings = settingsOf(url, { bucket: `locking-${randomUUID()}` });
  const { bucket } = settings;
  const connection = connectS3(settings);
  const { client } = connection;
  await client.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: true }));
  return {
    settings,
    store: new S3ObjectStore(connection, bucket, options),
    put: async (key: string, body: PutObjectCommandInput["Body"]): Promise<void> => {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
    },
    removeVersions: async (key: string) => {
      for (const version of await versionsOf(client, bucket, key)) {
        if (version.Key === key) await remove(client, bucket, version);
      }
    },
  };
}

/** The same in a store of the local stack, by the plain SDK: what somebody does there by hand. */
export async function lockingStore(
  { store }: { store: { address: string; accessKeyId: string; secretAccessKey: string } },
  bucket: string,
) {
  const { address, accessKeyId, secretAccessKey } = store;
  const client = new S3Client({
    endpoint: `http://${address}`,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  await client.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: true }));
  const current = async (prefix = "") =>
    (await versionsOf(client, bucket, prefix)).filter(({ IsLatest }) => IsLatest === true);
  return {
    bucket,
    /** What lies there, until when it is locked, and what the store says to whoever wants to remove the version. */
    objects: async () => {
      const found: { key: string; until: string; storageClass: string; refused: string }[] = [];
      for (const version of await current()) {
        const { Key: key = "", StorageClass: storageClass = "" } = version;
        const until = await client.send(new GetObjectRetentionCommand({ Bucket: bucket, Key: key })).then(
          ({ Retention }) => Retention?.RetainUntilDate?.toISOString() ?? "",
          () => "",
        );
        const refused = until === "" ? "" : await remove(client, bucket, version).then(() => "", String);
        found.push({ key, until, storageClass, refused });
      }
      return found;
    },
    /** Deletes without a version, as everybody does: the store refuses nothing. */
    hide: async (prefix: string) => {
      for (const { Key } of await current(prefix)) await client.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
    },
    /** Removes the markers of those deletions, and leaves the claim gone. */
    bringBack: async (prefix: string) => {
      const { DeleteMarkers = [] } = await client.send(
        new ListObjectVersionsCommand({ Bucket: bucket, Prefix: prefix }),
      );
      for (const marker of DeleteMarkers) if (!marker.Key?.endsWith("claim.json")) await remove(client, bucket, marker);
    },
    close: () => client.destroy(),
  };
}

async function versionsOf(client: S3Client, bucket: string, prefix: string) {
  const { Versions = [] } = await client.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: prefix }));
  return Versions;
}

/** @throws what the store says where it is locked */
async function remove(
  client: S3Client,
  bucket: string,
  { Key, VersionId }: { Key?: string | undefined; VersionId?: string | undefined },
): Promise<void> {
  await client.send(new DeleteObjectCommand({ Bucket: bucket, Key, VersionId }));
}
