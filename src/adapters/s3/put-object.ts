import { createHash } from "node:crypto";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import type { PutTextOptions } from "../../ports/object-store.ts";
import type { S3Bucket } from "./bucket.ts";
import { lockHeaders } from "./object-lock.ts";

/** Content types and conditions of a text are the same however it is written. */
export const defaultContentType = "application/octet-stream";

/** Writes an object in one request; answers false where the condition does not hold. */
export async function putObject(
  bucket: S3Bucket,
  key: string,
  body: Uint8Array,
  options: PutTextOptions,
): Promise<boolean> {
  const request = {
    Bucket: bucket.name,
    Key: key,
    Body: body,
    // also what a bucket with object lock insists on
    ContentMD5: createHash("md5").update(body).digest("base64"),
    ContentType: options.contentType ?? defaultContentType,
    ...lockHeaders(options.lock),
    // Google's S3 interface has no conditional writes: what has to be one's own is read back after it is written
    ...(options.ifAbsent ? { IfNoneMatch: "*" } : {}),
    ...(options.ifMatch === undefined ? {} : { IfMatch: `"${options.ifMatch}"` }),
  };
  const isConditional = options.ifAbsent || options.ifMatch !== undefined;
  return bucket.request("s3:PutObject", key, async () => {
    try {
      await bucket.client.send(new PutObjectCommand(request));
      return true;
    } catch (error) {
      if (isConditional && lostRace(error)) return false;
      throw error;
    }
  });
}

/** A conditional write that came too late: 412 where the condition does not hold, 409 where another write is under way. */
export function lostRace(error: unknown): boolean {
  const name = error instanceof Error ? error.name : "";
  return ["PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"].includes(name);
}
