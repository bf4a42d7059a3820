import { createHash } from "node:crypto";
import { PipelineError } from "../../core/execution/errors.ts";
import type { ByteRange, CopiedObject, ObjectStore, ObjectSummary } from "../../ports/object-store.ts";
import { type Part, splitIntoParts, streamedPartSize, streamedWholeSize, streamMemory } from "./parts.ts";

/** What a streamed copy reads: one version of one object. */
export interface CopySource {
  /** @param memory of the range's size, where the answer may lie */
  read(range: ByteRange, memory: Buffer): Promise<Uint8Array>;
  /** Whether its content has this MD5 (hex), as far as its store tells without being read; undefined where it does not. Asked last. */
  hasMd5(md5: string): Promise<boolean | undefined>;
}

/** Where a streamed copy writes: one key of one store. It notes the ETag of what it is a copy of beside the object. */
export interface StreamTarget {
  /** `KEY in bucket NAME at HOST:PORT`, for messages. */
  readonly label: string;
  readonly bucket: string;
  readonly key: string;
  readonly maximumParts: number;
  /**
   * Writes all of it in one request, checked by the store against its MD5 where the store can.
   * @returns its ETag
   */
  put(body: Uint8Array, md5: Buffer): Promise<string>;
  /**
   * Writes an object that appears whole when all its parts are there, or not at all.
   * @param write called for every part, in their order, a few at once; it gives `send` the bytes and their MD5
   * @param finished called when all are there: the MD5 of the whole; what it throws gives the upload up
   * @returns its ETag
   */
  putParts(
    parts: readonly Part[],
    write: (part: Part, send: (body: Uint8Array, md5: Buffer) => Promise<void>) => Promise<void>,
    finished: () => Promise<Buffer>,
  ): Promise<string>;
}

/** An object of any store, as a source. */
export function copySource(store: ObjectStore, object: ObjectSummary): CopySource {
  return {
    read: (range) => store.readRange(object, range),
    hasMd5: (md5) => store.hasContent(object, `md5:${md5}`, { read: false }),
  };
}

/**
 * Copies an object between two object stores through this process, with bounded memory. The content is checked on its way: its MD5
 * against what the source's store knows of it, and by the destination itself where it takes an MD5 with what it is sent.
 * @throws CopyMismatch where what was read is not what the source holds, and what the stores throw
 */
export async function copyStreamed(
  source: CopySource,
  object: ObjectSummary,
  target: StreamTarget,
): Promise<CopiedObject> {
  const checked = async (digest: Buffer): Promise<Buffer> => {
    const md5 = digest.toString("hex");
    if ((await source.hasMd5(md5)) === false) {
      throw copyMismatch(object, target, `what was read has the MD5 ${md5}, which is not the source's`);
    }
    return digest;
  };
  const { key } = target;
  if (object.size <= streamedWholeSize) {
    return streamMemory.run(object.size, async (memory) => {
      const body = await source.read({ offset: 0, size: object.size }, memory);
      const digest = await checked(createHash("md5").update(body).digest());
      const etag = await target.put(body, digest);
      return { key, size: body.length, etag, checksum: `md5:${digest.toString("hex")}`, skipped: false };
    });
  }
  const whole = createHash("md5");
  // parts arrive in any order; the MD5 of the whole takes them one after another
  let hashed: Promise<unknown> = Promise.resolve();
  let digest = Buffer.alloc(0);
  const etag = await target.putParts(
    splitIntoParts(object.size, streamedPartSize, target.maximumParts),
    (part, send) => {
      const before = hashed;
      const own = Promise.withResolvers<void>();
      hashed = own.promise;
      const write = streamMemory.run(part.size, async (memory) => {
        const body = await source.read({ offset: part.offset, size: part.size }, memory);
        await before;
        whole.update(body);
        own.resolve();
        await send(body, createHash("md5").update(body).digest());
      });
      // a part that fails must not keep the ones behind it waiting
      return write.finally(own.resolve);
    },
    async () => {
      digest = whole.digest();
      return checked(digest);
    },
  );
  return { key, size: object.size, etag, checksum: `md5:${digest.toString("hex")}`, skipped: false };
}

/** What arrived is not what was copied. */
export function copyMismatch(
  object: ObjectSummary,
  target: Pick<StreamTarget, "label" | "bucket" | "key">,
  reason: string,
): PipelineError {
  return new PipelineError("CopyMismatch", `${target.label} is not what was copied from ${object.key}: ${reason}`, {
    details: { key: target.key, from: object.key, bucket: target.bucket },
  });
}

/** `copyMode: server-side` between two stores. */
export function onlyWithinOneStore(from: { readonly label: string }, to: { readonly label: string }): PipelineError {
  return new PipelineError(
    "InvalidEnvironment",
    `copyMode is server-side, but ${from.label} and ${to.label} are in different object stores, and a store copies from its ` +
      "own buckets only: set copyMode to auto or streamed",
    { details: { key: "minio.copyMode", from: from.label, to: to.label } },
  );
}
