import { CopyObjectCommand, DeleteObjectCommand, UploadPartCopyCommand } from "@aws-sdk/client-s3";
import { PipelineError } from "../../core/execution/errors.ts";
import type { CopiedObject, ObjectSummary } from "../../ports/object-store.ts";
import { splitIntoParts } from "../streams/parts.ts";
import type { S3Bucket } from "./bucket.ts";
import { looksLikeMd5, sourceEtagMetadata, unquote } from "./content.ts";
import { compareWithSource } from "./content-checksum.ts";
import { type KeepingOptions, keepingHeaders } from "./keeping.ts";
import { multipartUpload } from "./multipart.ts";

/** S3 copies no more than this in one request. */
export const copyObjectLimitBytes = 5 * 2 ** 30;

/** Parts are no larger than the threshold, and no smaller than S3 allows. */
const largestCopyPart = 128 * 2 ** 20;
const smallestCopyPart = 5 * 2 ** 20;
const parallelParts = 8;

/**
 * Copies an object within one object store; no byte passes through here. The source must still be what was listed (If-Match on
 * its ETag). A plain MD5 that is equal on both sides settles the content without another request.
 * @param options.multipartThreshold from this size on the copy is made in parallel parts
 */
export async function copyServerSide(
  source: S3Bucket,
  object: ObjectSummary,
  destination: S3Bucket,
  key: string,
  { multipartThreshold, ...keeping }: KeepingOptions & { readonly multipartThreshold: number },
): Promise<CopiedObject> {
  // Google has no UploadPartCopy, and no limit for CopyObject either
  const inParts =
    destination.connection.dialect !== "gcp" && object.size > Math.min(multipartThreshold, copyObjectLimitBytes);
  const partSize = Math.max(smallestCopyPart, Math.min(largestCopyPart, multipartThreshold));
  const etag = inParts
    ? await copyInParts(source, object, destination, key, { partSize, ...keeping })
    : await copyAtOnce(source, object, destination, key, keeping);
  if (etag === object.etag && looksLikeMd5(etag)) {
    return { key, size: object.size, etag, checksum: `md5:${etag}`, skipped: false };
  }
  try {
    return { key, ...(await compareWithSource(source, object, destination, key)), skipped: false };
  } catch (error) {
    if (error instanceof PipelineError && error.name === "CopyMismatch") {
      // it carries the source's ETag in its metadata: left there, the next attempt would take it for a good copy
      await destination.client.send(new DeleteObjectCommand({ Bucket: destination.name, Key: key }));
    }
    throw error;
  }
}

async function copyAtOnce(
  source: S3Bucket,
  object: ObjectSummary,
  destination: S3Bucket,
  key: string,
  keeping: KeepingOptions,
): Promise<string> {
  const about = { key, copySource: sourceOf(source, object) };
  const copied = await destination.request("s3:PutObject", about, () =>
    readingFrom(source, object, () =>
      destination.client.send(
        new CopyObjectCommand({
          Bucket: destination.name,
          Key: key,
          CopySource: copySource(source.name, object.key),
          CopySourceIfMatch: object.etag,
          MetadataDirective: "REPLACE",
          Metadata: { [sourceEtagMetadata]: object.etag },
          // with none given the copy has no tags: they would take permissions of their own at both sides
          ...(destination.connection.isWhole && { TaggingDirective: "REPLACE" }),
          ...sayingOf(source),
          ...keepingHeaders(keeping),
        }),
      ),
    ),
  );
  return unquote(copied.CopyObjectResult?.ETag);
}

async function copyInParts(
  source: S3Bucket,
  object: ObjectSummary,
  destination: S3Bucket,
  key: string,
  { partSize, ...keeping }: KeepingOptions & { readonly partSize: number },
): Promise<string> {
  const about = { key, copySource: sourceOf(source, object) };
  return multipartUpload(destination, key, {
    parts: splitIntoParts(object.size, partSize),
    parallel: parallelParts,
    metadata: { [sourceEtagMetadata]: object.etag },
    keeping,
    writePart: async (uploadId, part) => {
      const copied = await destination.request("s3:PutObject", about, () =>
        readingFrom(source, object, () =>
          destination.client.send(
            new UploadPartCopyCommand({
              Bucket: destination.name,
              Key: key,
              UploadId: uploadId,
              PartNumber: part.number,
              CopySource: copySource(source.name, object.key),
              CopySourceIfMatch: object.etag,
              CopySourceRange: `bytes=${part.offset}-${part.offset + part.size - 1}`,
              ...sayingOf(source),
            }),
          ),
        ),
      );
      return copied.CopyPartResult?.ETag ?? "";
    },
  });
}

/** A copy is a request to the destination, which does not say by itself who pays for reading the source, and whose that must be. */
function sayingOf({ connection: { requesterPays, bucketOwner } }: S3Bucket) {
  return {
    ...(requesterPays && { RequestPayer: "requester" as const }),
    ...(bucketOwner !== undefined && { ExpectedSourceBucketOwner: bucketOwner }),
  };
}

function sourceOf({ name, connection }: S3Bucket, { key }: ObjectSummary) {
  return { bucket: name, key, owner: connection.bucketOwner };
}

/** A missing or replaced source is told as the source's fault: the message would otherwise name the destination. */
async function readingFrom<T>(source: S3Bucket, object: ObjectSummary, send: () => Promise<T>): Promise<T> {
  try {
    return await send();
  } catch (error) {
    const name = error instanceof Error ? error.name : "";
    if (name === "NoSuchKey" || name === "PreconditionFailed" || name === "InvalidObjectState") {
      throw source.fault("s3:GetObject", object.key, error);
    }
    throw error;
  }
}

/** The header wants the key percent-encoded, but its slashes as they are. */
function copySource(bucket: string, key: string): string {
  return `${bucket}/${key.split("/").map(encodeURIComponent).join("/")}`;
}
