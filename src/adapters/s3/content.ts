import { HeadObjectCommand, type HeadObjectCommandOutput, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { PipelineError } from "../../core/execution/errors.ts";
import type { ObjectSummary } from "../../ports/object-store.ts";
import { ifPresent } from "../streams/if-present.ts";
import type { S3Bucket } from "./bucket.ts";

/** Where a copy notes what it is a copy of: the only way to know a multipart or KMS-encrypted copy again by its ETag. */
export const sourceEtagMetadata = "source-etag";

/** ETags come in quotes. */
export function unquote(etag: string | undefined): string {
  return (etag ?? "").replace(/^(W\/)?"|"$/g, "");
}

/** Whether an ETag can be the MD5 of the content; with KMS it looks like one and is none. */
export function looksLikeMd5(etag: string): boolean {
  return /^[0-9a-f]{32}$/.test(etag);
}

/** Whether a response says that the object is encrypted so that its ETag is not the MD5 of its content. */
export function hidesMd5(response: { ServerSideEncryption?: string; SSECustomerAlgorithm?: string }): boolean {
  return (response.ServerSideEncryption ?? "").startsWith("aws:kms") || response.SSECustomerAlgorithm !== undefined;
}

/** undefined where the object does not exist. */
export async function headObject(bucket: S3Bucket, key: string): Promise<HeadObjectCommandOutput | undefined> {
  return ifPresent(() =>
    tellingMissing(bucket, key, () =>
      bucket.request("s3:GetObject", key, () =>
        bucket.client.send(new HeadObjectCommand({ Bucket: bucket.name, Key: key, ChecksumMode: "ENABLED" })),
      ),
    ),
  );
}

/**
 * Runs a read of one key. AWS tells a missing key from a forbidden one only to those who may list the whole bucket: where the grant is
 * narrower (`s3:prefix`), a listing below that very key settles it, and what is missing is an ObjectNotFound as everywhere else.
 */
export async function tellingMissing<T>(bucket: S3Bucket, key: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof PipelineError) || error.name !== "StoreAccessDenied") throw error;
    const request = new ListObjectsV2Command({ Bucket: bucket.name, Prefix: key, MaxKeys: 1 });
    const listed = await bucket.client.send(request).catch(() => undefined);
    // a key sorts before everything that it is a prefix of
    if (listed === undefined || listed.Contents?.[0]?.Key === key) throw error;
    const missing = Object.assign(new Error("not listed"), { name: "NoSuchKey" });
    throw bucket.fault("s3:GetObject", key, missing);
  }
}

/** Checksums of a whole object, as stores report them; composite ones (of parts) do not compare. */
const checksumFields = [
  ["crc64nvme", "ChecksumCRC64NVME"],
  ["sha256", "ChecksumSHA256"],
  ["crc32c", "ChecksumCRC32C"],
  ["crc32", "ChecksumCRC32"],
  ["sha1", "ChecksumSHA1"],
] as const;

/** `<algorithm>:<value>` of everything a response reports about the whole content. */
export function reportedChecksums(response: Partial<HeadObjectCommandOutput>): string[] {
  if (response.ChecksumType === "COMPOSITE") return [];
  return checksumFields.flatMap(([algorithm, field]) => {
    const value = response[field];
    return value === undefined || value.includes("-") ? [] : [`${algorithm}:${value}`];
  });
}

export function mismatch(object: ObjectSummary, destination: S3Bucket, key: string, reason: string): PipelineError {
  const at = `${key} in bucket ${destination.name} at ${destination.connection.address}`;
  return new PipelineError("CopyMismatch", `${at} is not what was copied from ${object.key}: ${reason}`, {
    details: { key, from: object.key, bucket: destination.name },
  });
}
