import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { GetObjectCommand, type GetObjectCommandOutput } from "@aws-sdk/client-s3";
import { PipelineError } from "../../core/execution/errors.ts";
import type { S3Bucket } from "./bucket.ts";
import { tellingMissing, unquote } from "./content.ts";

/** How often in a row a connection may break without a byte having come. */
const triesWithoutProgress = 4;
const firstWaitMilliseconds = 200;

/**
 * Reads an object as UTF-8 text as it comes. Where the connection breaks it goes on where it was; every request after the first
 * asks for the version that the first one got.
 * @param ifMatch ETag without quotes of the version to read; whichever is there where absent
 * @throws ObjectNotFound where the object is not there, or was replaced; what the store throws
 */
export async function* readText(bucket: S3Bucket, key: string, ifMatch: string | undefined): AsyncGenerator<string> {
  // a byte order mark is kept, as where an object is read whole
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let etag = ifMatch;
  let offset = 0;
  let failures = 0;
  for (;;) {
    const answer = await tellingMissing(bucket, key, () => get(bucket, key, offset, etag));
    etag ??= unquote(answer.ETag);
    const size = offset + (answer.ContentLength ?? Number.NaN);
    const body = bytesOf(answer.Body);
    let broken: unknown;
    try {
      for (;;) {
        const next = await bucket
          .request("s3:GetObject", key, () => body.next())
          .catch((error: unknown) => {
            broken = error;
          });
        if (next === undefined || next.done) break;
        offset += next.value.length;
        failures = 0;
        const text = decoder.decode(next.value, { stream: true });
        if (text !== "") yield text;
      }
    } finally {
      // also where the reader of the text stops early: nothing else ends the request
      if (answer.Body instanceof Readable) answer.Body.destroy();
    }
    if (broken instanceof PipelineError && broken.kind !== "transient") throw broken;
    if (broken === undefined ? !(offset < size) : offset === size) break;
    failures += 1;
    if (failures >= triesWithoutProgress) throw broken ?? cutShort(bucket, key, offset, size);
    await sleep(firstWaitMilliseconds * 2 ** (failures - 1));
  }
  const last = decoder.decode();
  if (last !== "") yield last;
}

async function get(bucket: S3Bucket, key: string, offset: number, etag: string | undefined) {
  const answer = await bucket.request("s3:GetObject", key, () =>
    bucket.client.send(
      new GetObjectCommand({
        Bucket: bucket.name,
        Key: key,
        ...(etag === undefined ? {} : { IfMatch: `"${etag}"` }),
        ...(offset === 0 ? {} : { Range: `bytes=${offset}-` }),
      }),
    ),
  );
  // there are stores that know no conditions
  const replaced = etag !== undefined && answer.ETag !== undefined && unquote(answer.ETag) !== etag;
  if (replaced || (offset > 0 && !answer.ContentRange?.startsWith(`bytes ${offset}-`))) {
    if (answer.Body instanceof Readable) answer.Body.destroy();
    const what = replaced
      ? "was replaced while it was read"
      : "cannot be read from its middle: the store knows no ranges";
    const { address } = bucket.connection;
    const name = replaced ? "ObjectNotFound" : "StoreFailed";
    throw new PipelineError(name, `${key} in bucket ${bucket.name} at ${address} ${what}`, { details: { key } });
  }
  return answer;
}

function bytesOf(body: GetObjectCommandOutput["Body"]): AsyncIterator<Uint8Array> {
  const stream: AsyncIterable<Uint8Array> = body instanceof Readable ? body : Readable.from([]);
  return stream[Symbol.asyncIterator]();
}

function cutShort(bucket: S3Bucket, key: string, offset: number, size: number): PipelineError {
  const at = `${key} in bucket ${bucket.name} at ${bucket.connection.address}`;
  return new PipelineError("StoreBusy", `${at}: ${offset} bytes came instead of ${size}, again and again`, {
    details: { key },
  });
}
