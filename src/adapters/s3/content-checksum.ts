import type { HeadObjectCommandOutput } from "@aws-sdk/client-s3";
import { kindOfChecksum } from "../../core/execution/checksum.ts";
import { contentHash } from "../../core/execution/content-hash.ts";
import type { ObjectSummary } from "../../ports/object-store.ts";
import type { S3Bucket } from "./bucket.ts";
import { headObject, hidesMd5, looksLikeMd5, mismatch, reportedChecksums, unquote } from "./content.ts";
import { checksumByReading } from "./read-object.ts";

/**
 * `<algorithm>:<value>` of an object's content: its MD5 where the ETag is one, otherwise what the store reports of the whole. A store
 * that reports nothing (MinIO, of an object that was uploaded in parts without checksums) cannot tell: the object is read and its MD5
 * computed.
 * @param head what a HEAD of it answered, with its checksums
 */
export async function checksumOf(
  bucket: S3Bucket,
  object: ObjectSummary,
  head: HeadObjectCommandOutput,
): Promise<string> {
  return knownChecksums(object, head)[0] ?? `md5:${await checksumByReading(bucket, object, contentHash("md5"))}`;
}

/** `ObjectStore.hasContent` of an object in a bucket. */
export async function hasContent(
  bucket: S3Bucket,
  object: ObjectSummary,
  checksum: string,
  { read }: { read: boolean },
): Promise<boolean | undefined> {
  const head = await headObject(bucket, object.key);
  if (head === undefined || unquote(head.ETag) !== object.etag) {
    const replaced = Object.assign(new Error("not there as it was listed"), {
      name: head ? "PreconditionFailed" : "NoSuchKey",
    });
    throw bucket.fault("s3:GetObject", object.key, replaced);
  }
  const algorithm = kindOfChecksum(checksum);
  const known = knownChecksums(object, head).find((candidate) => kindOfChecksum(candidate) === algorithm);
  if (known !== undefined) return known === checksum;
  const found = read ? await readChecksum(bucket, object, algorithm) : undefined;
  return found === undefined ? undefined : found === checksum;
}

/** `ObjectStore.readChecksum` of an object in a bucket. */
export async function readChecksum(bucket: S3Bucket, object: ObjectSummary, kind: string): Promise<string | undefined> {
  const hash = contentHash(kind);
  return hash && `${kind}:${await checksumByReading(bucket, object, hash)}`;
}

/** What a HEAD tells of the whole content, the MD5 first. */
function knownChecksums({ etag }: ObjectSummary, head: HeadObjectCommandOutput): string[] {
  const md5 = looksLikeMd5(etag) && !hidesMd5(head) ? [`md5:${etag}`] : [];
  return [...md5, ...reportedChecksums(head)];
}

/**
 * Compares a finished server-side copy with its source where the ETags do not settle it (multipart objects, KMS): sizes, and checksums of
 * the whole content where both sides report the same kind.
 * @throws CopyMismatch; answers the checksum to record
 */
export async function compareWithSource(
  source: S3Bucket,
  object: ObjectSummary,
  destination: S3Bucket,
  key: string,
): Promise<{ size: number; etag: string; checksum: string }> {
  const arrived = await headObject(destination, key);
  if (arrived === undefined) throw mismatch(object, destination, key, "it is not there after the copy");
  const size = arrived.ContentLength ?? 0;
  if (size !== object.size) throw mismatch(object, destination, key, `${size} bytes instead of ${object.size}`);
  const etag = unquote(arrived.ETag);
  const original = await headObject(source, object.key);
  const originals = original === undefined ? [] : reportedChecksums(original);
  const arrivals = reportedChecksums(arrived);
  const isEqual = arrivals.some((candidate) => originals.includes(candidate));
  const sameKind = arrivals.find((arrival) =>
    originals.some((candidate) => kindOfChecksum(candidate) === kindOfChecksum(arrival)),
  );
  if (!isEqual && sameKind !== undefined) {
    throw mismatch(object, destination, key, `its ${kindOfChecksum(sameKind)} differs from the source's`);
  }
  const bothMd5 = looksLikeMd5(etag) && looksLikeMd5(object.etag) && !hidesMd5(arrived) && !hidesMd5(original ?? {});
  if (!isEqual && bothMd5 && etag !== object.etag) {
    throw mismatch(object, destination, key, `its MD5 is ${etag} instead of ${object.etag}`);
  }
  return { size, etag, checksum: await checksumOf(destination, { key, size, etag }, arrived) };
}
