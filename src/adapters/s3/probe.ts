import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketVersioningCommand,
  HeadBucketCommand,
  ListMultipartUploadsCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import type { BucketFacts, LeftUploads, StoreProbe } from "../../ports/store-probe.ts";
import type { S3Bucket } from "./bucket.ts";
import { headObject } from "./content.ts";

/** `ObjectStore.probe` of a bucket. */
export function s3Probe(bucket: S3Bucket): StoreProbe {
  return {
    uploadInParts: (key, left) => uploadInParts(bucket, key, left),
    async facts(key) {
      const [region, versions, versionsEnd, object] = await Promise.all([
        regionOf(bucket),
        versionsOf(bucket),
        endsVersions(bucket),
        key === undefined ? undefined : headObject(bucket, key),
      ]);
      const kmsKey = object?.SSEKMSKeyId;
      return {
        ...(region !== undefined && { region }),
        ...(versions !== undefined && { versions }),
        ...(versionsEnd !== undefined && { versionsEnd }),
        ...(kmsKey !== undefined && { kmsKey }),
      };
    },
  };
}

/** As copies do it, but for failing where they go on without: what a killed function left could not be ended. */
async function uploadInParts(bucket: S3Bucket, key: string, { prefix, isProbe, before }: LeftUploads): Promise<void> {
  const { client, name: Bucket } = bucket;
  const target = { Bucket, Key: key };
  const begin = async () => {
    const create = () => client.send(new CreateMultipartUploadCommand(target));
    return (await bucket.request("s3:PutObject", key, create)).UploadId;
  };
  const abort = (UploadId: string | undefined, Key = key) =>
    bucket.request("s3:AbortMultipartUpload", Key, () =>
      client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })),
    );
  const UploadId = await begin();
  try {
    const part = { PartNumber: 1, UploadId };
    const { ETag } = await bucket.request("s3:PutObject", key, () =>
      client.send(new UploadPartCommand({ ...target, ...part, Body: "probe" })),
    );
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
    await bucket.request("s3:PutObject", key, () =>
      client.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload })),
    );
  } catch (error) {
    await abort(UploadId).catch(() => undefined);
    throw error;
  }
  await abort(await begin());
  const list = () => client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: prefix }));
  const { Uploads = [] } = await bucket.request("s3:ListBucketMultipartUploads", { prefix }, list);
  for (const { Key = "", UploadId, Initiated } of Uploads) {
    const isLeft = isProbe(Key) && Initiated !== undefined && Initiated < before;
    if (Key === key || isLeft) await abort(UploadId, Key);
  }
}

async function regionOf({ client, name }: S3Bucket): Promise<string | undefined> {
  const answer = await ifTold(() => client.send(new HeadBucketCommand({ Bucket: name })));
  return answer?.BucketRegion;
}

async function versionsOf({ client, name }: S3Bucket): Promise<BucketFacts["versions"]> {
  const answer = await ifTold(() => client.send(new GetBucketVersioningCommand({ Bucket: name })));
  if (answer === undefined) return undefined;
  return answer.Status === undefined ? "none" : answer.Status === "Enabled" ? "kept" : "suspended";
}

async function endsVersions({ client, name }: S3Bucket): Promise<boolean | undefined> {
  try {
    const { Rules = [] } = await client.send(new GetBucketLifecycleConfigurationCommand({ Bucket: name }));
    return Rules.some(({ Status, NoncurrentVersionExpiration }) => Status === "Enabled" && NoncurrentVersionExpiration);
  } catch (error) {
    return error instanceof Error && error.name === "NoSuchLifecycleConfiguration" ? false : undefined;
  }
}

/** Facts are good to know, and no more: who may not ask goes without. */
async function ifTold<T>(ask: () => Promise<T>): Promise<T | undefined> {
  return ask().catch(() => undefined);
}
