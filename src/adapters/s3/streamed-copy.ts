import { PutObjectCommand, UploadPartCommand } from "@aws-sdk/client-s3";
import type { ObjectSummary } from "../../ports/object-store.ts";
import type { CopySource, StreamTarget } from "../streams/streamed-copy.ts";
import type { S3Bucket } from "./bucket.ts";
import { sourceEtagMetadata, unquote } from "./content.ts";
import { type KeepingOptions, keepingHeaders } from "./keeping.ts";
import { multipartUpload } from "./multipart.ts";
import { readRange } from "./read-object.ts";

const parallelParts = 4;
/** What S3 allows in one multipart upload. */
const maximumParts = 10_000;

/** An object of a bucket, which tells with every read whether its ETag is the MD5 of its content. */
export function s3Source(bucket: S3Bucket, object: ObjectSummary): CopySource {
  let etagIsMd5 = false;
  return {
    async read(range, memory) {
      const isWhole = range.offset === 0 && range.size === object.size;
      const answer = await readRange(bucket, object, isWhole ? undefined : range, memory);
      etagIsMd5 = answer.etagIsMd5;
      return answer.body;
    },
    hasMd5: async (md5) => (etagIsMd5 ? md5 === object.etag : undefined),
  };
}

/** A key of a bucket: PutObject, or a multipart upload; each request carries a Content-MD5. */
export function streamTarget(
  bucket: S3Bucket,
  key: string,
  object: ObjectSummary,
  keeping: KeepingOptions,
): StreamTarget {
  const metadata = { [sourceEtagMetadata]: object.etag };
  const content = (body: Uint8Array, md5: Buffer) => ({
    Bucket: bucket.name,
    Key: key,
    Body: body,
    ContentLength: body.length,
    ContentMD5: md5.toString("base64"),
  });
  return {
    label: `${key} in bucket ${bucket.name} at ${bucket.connection.address}`,
    bucket: bucket.name,
    key,
    maximumParts,
    async put(body, md5) {
      const command = new PutObjectCommand({ ...content(body, md5), Metadata: metadata, ...keepingHeaders(keeping) });
      const written = await bucket.request("s3:PutObject", key, () => bucket.client.send(command));
      return unquote(written.ETag);
    },
    putParts: (parts, write, finished) =>
      multipartUpload(bucket, key, {
        parts,
        parallel: parallelParts,
        metadata,
        keeping,
        async writePart(uploadId, part) {
          let etag = "";
          await write(part, async (body, md5) => {
            const command = new UploadPartCommand({
              ...content(body, md5),
              UploadId: uploadId,
              PartNumber: part.number,
            });
            const written = await bucket.request("s3:PutObject", key, () => bucket.client.send(command));
            etag = written.ETag ?? "";
          });
          return etag;
        },
        beforeComplete: finished,
      }),
  };
}
