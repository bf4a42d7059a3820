import { createHash } from "node:crypto";
import { PutObjectCommand, UploadPartCommand } from "@aws-sdk/client-s3";
import type { CopiedObject, ObjectSummary } from "../../ports/object-store.ts";
import type { S3Bucket } from "./bucket.ts";
import { mismatch, sourceEtagMetadata, unquote } from "./content.ts";
import { multipartUpload, splitIntoParts } from "./multipart.ts";
import { streamMemory as memory, streamedPartSize as partSize, readRange } from "./read-object.ts";

const parallelParts = 4;

/**
 * Copies an object between two object stores through this process, with bounded memory. The content is checked on its way: its MD5
 * against the source's ETag where that is one, and by the destination itself against the Content-MD5 of what was read.
 */
export async function copyStreamed(
  source: S3Bucket,
  object: ObjectSummary,
  destination: S3Bucket,
  key: string,
): Promise<CopiedObject> {
  return object.size <= partSize
    ? copyWhole(source, object, destination, key)
    : copyInParts(source, object, destination, key);
}

async function copyWhole(
  source: S3Bucket,
  object: ObjectSummary,
  destination: S3Bucket,
  key: string,
): Promise<CopiedObject> {
  return memory.run(object.size, async () => {
    const { body, etagIsMd5 } = await readRange(source, object, undefined);
    const digest = createHash("md5").update(body).digest();
    const md5 = digest.toString("hex");
    if (etagIsMd5 && md5 !== object.etag) {
      throw mismatch(object, destination, key, `what was read has the MD5 ${md5} instead of ${object.etag}`);
    }
    const written = await destination.request("s3:PutObject", key, () =>
      destination.client.send(
        new PutObjectCommand({
          Bucket: destination.name,
          Key: key,
          Body: body,
          ContentLength: body.length,
          ContentMD5: digest.toString("base64"),
          Metadata: { [sourceEtagMetadata]: object.etag },
        }),
      ),
    );
    return { key, size: body.length, etag: unquote(written.ETag), checksum: `md5:${md5}`, skipped: false };
  });
}

async function copyInParts(
  source: S3Bucket,
  object: ObjectSummary,
  destination: S3Bucket,
  key: string,
): Promise<CopiedObject> {
  const parts = splitIntoParts(object.size, partSize);
  const whole = createHash("md5");
  let etagIsMd5 = false;
  // parts arrive in any order; the MD5 of the whole takes them one after another
  let hashed: Promise<unknown> = Promise.resolve();
  const etag = await multipartUpload(destination, key, {
    parts,
    parallel: parallelParts,
    metadata: { [sourceEtagMetadata]: object.etag },
    writePart: (uploadId, part) => {
      const before = hashed;
      let done: () => void = () => undefined;
      hashed = new Promise<void>((resolve) => {
        done = resolve;
      });
      const write = memory.run(part.size, async () => {
        const read = await readRange(source, object, { offset: part.offset, size: part.size });
        etagIsMd5 = read.etagIsMd5;
        await before;
        whole.update(read.body);
        done();
        const written = await destination.request("s3:PutObject", key, () =>
          destination.client.send(
            new UploadPartCommand({
              Bucket: destination.name,
              Key: key,
              UploadId: uploadId,
              PartNumber: part.number,
              Body: read.body,
              ContentLength: read.body.length,
              ContentMD5: createHash("md5").update(read.body).digest("base64"),
            }),
          ),
        );
        return written.ETag ?? "";
      });
      // a part that fails must not keep the ones behind it waiting
      return write.finally(done);
    },
    beforeComplete: () => {
      const md5 = whole.copy().digest("hex");
      if (etagIsMd5 && md5 !== object.etag) {
        throw mismatch(object, destination, key, `what was read has the MD5 ${md5} instead of ${object.etag}`);
      }
    },
  });
  return { key, size: object.size, etag, checksum: `md5:${whole.digest("hex")}`, skipped: false };
}
