import { Readable } from "node:stream";
import { GetObjectCommand, type GetObjectCommandOutput } from "@aws-sdk/client-s3";
import pRetry from "p-retry";
import type { ContentHash } from "../../core/execution/content-hash.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { ObjectSummary } from "../../ports/object-store.ts";
import { splitIntoParts, streamedPartSize, streamMemory } from "../streams/parts.ts";
import type { S3Bucket } from "./bucket.ts";
import { hidesMd5, looksLikeMd5 } from "./content.ts";

/**
 * Reads an object, or a part of it, into memory; reads again where the connection breaks in the middle.
 * @param memory of that size; new memory where absent
 */
export async function readRange(
  source: S3Bucket,
  object: ObjectSummary,
  range: { offset: number; size: number } | undefined,
  memory?: Buffer,
): Promise<{ body: Uint8Array; etagIsMd5: boolean }> {
  const expected = range?.size ?? object.size;
  const read = () =>
    source.request("s3:GetObject", object.key, async () => {
      const answer = await source.client.send(
        new GetObjectCommand({
          Bucket: source.name,
          Key: object.key,
          IfMatch: `"${object.etag}"`,
          ...(range === undefined ? {} : { Range: `bytes=${range.offset}-${range.offset + range.size - 1}` }),
        }),
      );
      const { body, received } = await readInto(memory ?? Buffer.allocUnsafe(expected), answer.Body);
      if (received !== expected) {
        const reason = `${object.key} in bucket ${source.name}: ${received} bytes came instead of ${expected}`;
        throw new PipelineError("StoreBusy", reason, { details: { key: object.key } });
      }
      return { body, etagIsMd5: looksLikeMd5(object.etag) && !hidesMd5(answer) };
    });
  return pRetry(read, {
    retries: 3,
    minTimeout: 200,
    shouldRetry: ({ error }) => error instanceof PipelineError && error.kind === "transient",
  });
}

/** What a hash makes of what lies there, by reading it: for stores that report no checksum of the whole. */
export async function checksumByReading(source: S3Bucket, object: ObjectSummary, hash: ContentHash): Promise<string> {
  for (const part of splitIntoParts(object.size, streamedPartSize)) {
    await streamMemory.run(part.size, async (memory) => {
      hash.update((await readRange(source, object, part, memory)).body);
    });
  }
  return hash.digest();
}

/** Fills memory of the right size as the bytes come: collecting them first would take twice as much. */
async function readInto(
  body: Buffer,
  stream: GetObjectCommandOutput["Body"],
): Promise<{ body: Buffer; received: number }> {
  let received = 0;
  if (!(stream instanceof Readable)) return { body, received };
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    if (received + chunk.length <= body.length) body.set(chunk, received);
    received += chunk.length;
  }
  return { body, received };
}
