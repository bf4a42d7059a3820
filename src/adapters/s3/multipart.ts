import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
} from "@aws-sdk/client-s3";
import { PipelineError } from "../../core/execution/errors.ts";
import { settleEach } from "../../core/execution/settle.ts";
import type { Part } from "../streams/parts.ts";
import type { S3Bucket } from "./bucket.ts";
import { unquote } from "./content.ts";
import { type KeepingOptions, keepingHeaders } from "./keeping.ts";

/**
 * Runs a multipart upload: begins it, writes its parts (started in order, `parallel` at a time), completes it, and aborts it where
 * anything fails, so that no hidden parts are left to be paid for.
 * @param writePart answers the part's ETag as the store gave it
 * @returns the object's ETag without quotes
 */
export async function multipartUpload(
  bucket: S3Bucket,
  key: string,
  options: {
    parts: readonly Part[];
    parallel: number;
    metadata: Record<string, string>;
    keeping: KeepingOptions;
    writePart: (uploadId: string, part: Part) => Promise<string>;
    /** Called when all parts are there; what it throws aborts the upload. */
    beforeComplete?: () => Promise<unknown>;
  },
): Promise<string> {
  const target = { Bucket: bucket.name, Key: key };
  await abortAbandoned(bucket, key);
  const { UploadId: uploadId } = await bucket.request("s3:PutObject", key, () =>
    bucket.client.send(
      new CreateMultipartUploadCommand({ ...target, Metadata: options.metadata, ...keepingHeaders(options.keeping) }),
    ),
  );
  if (uploadId === undefined)
    throw new PipelineError("StoreFailed", `no upload ID for ${key} in bucket ${bucket.name}`);

  try {
    // all parts come to an end before the upload is aborted: one that is still on its way would survive the abort
    const parts = await settleEach(
      options.parts,
      options.parallel,
      async (part): Promise<CompletedPart> => ({
        PartNumber: part.number,
        ETag: await options.writePart(uploadId, part),
      }),
    );
    await options.beforeComplete?.();
    const completed = await bucket.request("s3:PutObject", key, () =>
      bucket.client.send(
        new CompleteMultipartUploadCommand({ ...target, UploadId: uploadId, MultipartUpload: { Parts: parts } }),
      ),
    );
    return unquote(completed.ETag);
  } catch (error) {
    // the error that is thrown says what went wrong; a failed abort leaves parts for the bucket's lifecycle rule
    await bucket.client.send(new AbortMultipartUploadCommand({ ...target, UploadId: uploadId })).catch(() => undefined);
    throw error;
  }
}

/**
 * Removes the parts that a process left which was killed in the middle: hidden, and paid for until somebody does. Never fails, as
 * not everybody who may write may list uploads; a bucket's lifecycle rule does the same later.
 */
export async function abortAbandoned(bucket: S3Bucket, key: string): Promise<void> {
  try {
    const { Uploads = [] } = await bucket.client.send(
      new ListMultipartUploadsCommand({ Bucket: bucket.name, Prefix: key }),
    );
    for (const { Key, UploadId } of Uploads) {
      if (Key !== key) continue;
      await bucket.client.send(new AbortMultipartUploadCommand({ Bucket: bucket.name, Key, UploadId }));
    }
  } catch {
    // the copy itself tells what is wrong with the store
  }
}
