import { createHash } from "node:crypto";
import type { FileMetadata } from "@google-cloud/storage";
import { kindOfChecksum } from "../../core/execution/checksum.ts";
import { settleEach } from "../../core/execution/settle.ts";
import type { CopiedObject, ObjectSummary } from "../../ports/object-store.ts";
import { copyMismatch, type StreamTarget } from "../streams/streamed-copy.ts";
import type { GcsBucket } from "./bucket.ts";
import { gcsStatus } from "./errors.ts";
import { knownChecksums, seen, sourceEtagMetadata, summaryOf } from "./objects.ts";
import { putObject, ResumableUpload } from "./uploads.ts";

/** Parts that are read at once; they are sent one after another. */
const parallelReads = 3;

/** An object as the destination of a streamed copy: one request, or a resumable upload. What arrived is compared by its MD5. */
export function streamTarget(bucket: GcsBucket, key: string, object: ObjectSummary): StreamTarget {
  const label = bucket.labelOf(key);
  const metadata = { [sourceEtagMetadata]: object.etag };
  const compared = async (written: FileMetadata, md5: Buffer): Promise<string> => {
    const { etag } = summaryOf(key, written);
    if (written.md5Hash !== undefined && written.md5Hash !== md5.toString("base64")) {
      // it carries the source's ETag: left there, the next attempt would take it for a good copy
      await removeGeneration(bucket, key, etag);
      throw copyMismatch(object, { label, bucket: bucket.name, key }, "its MD5 is not that of what was sent");
    }
    return etag;
  };
  return {
    label,
    bucket: bucket.name,
    key,
    maximumParts: 10_000,
    async put(body, md5) {
      const written = await bucket.request("storage.objects.create", key, () =>
        putObject(bucket, key, body, { metadata }),
      );
      return compared(written, md5);
    },
    async putParts(parts, write, finished) {
      const upload = await ResumableUpload.begin(bucket, key, { metadata });
      const whole = createHash("md5");
      let before: Promise<unknown> = Promise.resolve();
      let last: Uint8Array = new Uint8Array();
      try {
        await settleEach(parts, parallelReads, (part) => {
          const previous = before;
          const own = Promise.withResolvers<void>();
          before = own.promise;
          return write(part, async (body) => {
            await previous;
            whole.update(body);
            // the last one makes the object appear: not before all are known to be right
            if (part.number === parts.length) last = body;
            else await upload.send(body, { isLast: false });
          }).finally(own.resolve);
        });
        await finished();
      } catch (error) {
        await upload.abandon();
        throw error;
      }
      const written = await upload.send(last, { isLast: true });
      return compared(written ?? {}, whole.digest());
    },
  };
}

/**
 * Copies an object within Google Cloud Storage (rewrite, as many times as a large one takes). No byte passes through here.
 * @param hashOf the MD5 of what arrived, where the store tells none
 * @throws CopyMismatch, ObjectNotFound where the source is not what was listed
 */
export async function copyServerSide(
  source: GcsBucket,
  object: ObjectSummary,
  destination: GcsBucket,
  key: string,
  hashOf: (copy: ObjectSummary) => Promise<string | undefined>,
): Promise<CopiedObject> {
  const original = await seen(source, object);
  const written = await destination.request("storage.objects.create", key, async () => {
    try {
      const [file] = await source.client
        .file(object.key, { generation: object.etag })
        .copy(destination.client.file(key), { metadata: { [sourceEtagMetadata]: object.etag } });
      const [metadata] = await file.getMetadata();
      return metadata;
    } catch (error) {
      throw gcsStatus(error) === 404 ? source.fault("storage.objects.get", object.key, error) : error;
    }
  });
  const { size, etag } = summaryOf(key, written);
  const known = knownChecksums(written);
  const originals = knownChecksums(original);
  const differs = known.some((one) =>
    originals.some((other) => kindOfChecksum(other) === kindOfChecksum(one) && other !== one),
  );
  if (size !== object.size || differs) {
    await removeGeneration(destination, key, etag);
    const what = differs ? "its checksum differs from the source's" : `${size} bytes instead of ${object.size}`;
    throw copyMismatch(object, { label: destination.labelOf(key), bucket: destination.name, key }, what);
  }
  const checksum = known[0] ?? `md5:${await hashOf({ key, size, etag })}`;
  return { key, size, etag, checksum, skipped: false };
}

async function removeGeneration(bucket: GcsBucket, key: string, ifGenerationMatch: string): Promise<void> {
  await bucket.request("storage.objects.delete", key, () =>
    bucket.client.file(key).delete({ ignoreNotFound: true, ifGenerationMatch: Number(ifGenerationMatch) }),
  );
}
