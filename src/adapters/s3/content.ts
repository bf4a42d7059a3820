import { HeadObjectCommand, type HeadObjectCommandOutput, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { PipelineError } from "../../core/execution/errors.ts";
import type { ObjectSummary } from "../../ports/object-store.ts";
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

/** What a read answers; undefined where the object does not exist. */
export async function ifPresent<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof PipelineError && error.name === "ObjectNotFound") return undefined;
    throw error;
  }
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

/**
 * Compares a finished server-side copy with its source where the ETags do not settle it (multipart objects, KMS): sizes, and
 * checksums of the whole content where both sides report the same kind. Throws CopyMismatch; answers a checksum to record.
 */
export async function compareWithSource(
  source: S3Bucket,
  object: ObjectSummary,
  destination: S3Bucket,
  key: string,
): Promise<{ size: number; etag: string; checksum?: string }> {
  const arrived = await headObject(destination, key);
  if (arrived === undefined) throw mismatch(object, destination, key, "it is not there after the copy");
  const size = arrived.ContentLength ?? 0;
  if (size !== object.size) throw mismatch(object, destination, key, `${size} bytes instead of ${object.size}`);
  const etag = unquote(arrived.ETag);
  const original = await headObject(source, object.key);
  const originals = original === undefined ? [] : reportedChecksums(original);
  const arrivals = reportedChecksums(arrived);
  const checksum = arrivals.find((candidate) => originals.includes(candidate));
  const sameKind = arrivals.find((arrival) => originals.some((candidate) => kind(candidate) === kind(arrival)));
  if (checksum === undefined && sameKind !== undefined) {
    throw mismatch(object, destination, key, `its ${kind(sameKind)} differs from the source's`);
  }
  const bothMd5 = looksLikeMd5(etag) && looksLikeMd5(object.etag) && !hidesMd5(arrived) && !hidesMd5(original ?? {});
  if (checksum === undefined && bothMd5 && etag !== object.etag) {
    throw mismatch(object, destination, key, `its MD5 is ${etag} instead of ${object.etag}`);
  }
  return { size, etag, ...(checksum === undefined ? {} : { checksum }) };
}

function kind(checksum: string): string {
  return checksum.slice(0, checksum.indexOf(":"));
}

export function mismatch(object: ObjectSummary, destination: S3Bucket, key: string, reason: string): PipelineError {
  const at = `${key} in bucket ${destination.name} at ${destination.connection.address}`;
  return new PipelineError("CopyMismatch", `${at} is not what was copied from ${object.key}: ${reason}`, {
    details: { key, from: object.key, bucket: destination.name },
  });
}
