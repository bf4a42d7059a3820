import { createHash } from "node:crypto";
import type { FileMetadata } from "@google-cloud/storage";
import { PipelineError } from "../../core/execution/errors.ts";
import type { PutTextOptions } from "../../ports/object-store.ts";
import type { GcsBucket } from "./bucket.ts";
import { gcsStatus } from "./errors.ts";

export const defaultContentType = "application/octet-stream";

/** What is said of an object with its bytes. */
interface WithBytes {
  readonly contentType?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Of the object that is replaced; 0 where there must be none. */
  readonly generation?: string | undefined;
}

/** Writes an object in one request, which the store checks against its MD5. */
export async function putObject(
  bucket: GcsBucket,
  key: string,
  body: Uint8Array,
  { contentType = defaultContentType, metadata, generation }: WithBytes,
): Promise<FileMetadata> {
  const md5Hash = createHash("md5").update(body).digest("base64");
  const file = bucket.client.file(key);
  await file.save(Buffer.from(body), {
    resumable: false,
    validation: false,
    contentType,
    metadata: { md5Hash, contentType, ...(metadata && { metadata }) },
    ...(generation !== undefined && { preconditionOpts: { ifGenerationMatch: generation } }),
  });
  return file.metadata;
}

/** Writes a small text; answers false where the condition does not hold. */
export async function putText(
  bucket: GcsBucket,
  key: string,
  body: Uint8Array,
  { contentType, ifAbsent = false, ifMatch }: PutTextOptions,
): Promise<boolean> {
  const generation = ifAbsent ? "0" : ifMatch;
  // what was never a generation is no version of anything
  if (generation !== undefined && !/^\d+$/.test(generation)) return false;
  return bucket.request("storage.objects.create", key, async () => {
    try {
      await putObject(bucket, key, body, { contentType, generation });
      return true;
    } catch (error) {
      if (generation !== undefined && (gcsStatus(error) === 412 || gcsStatus(error) === 404)) return false;
      throw error;
    }
  });
}

/**
 * A resumable upload: chunks are sent in order, and the object appears whole with the last one. The session's address is a capability
 * of its own, which is asked without further credentials.
 */
export class ResumableUpload {
  readonly #bucket: GcsBucket;
  readonly #key: string;
  readonly #session: string;
  #sent = 0;

  private constructor(bucket: GcsBucket, key: string, session: string) {
    this.#bucket = bucket;
    this.#key = key;
    this.#session = session;
  }

  static async begin(
    bucket: GcsBucket,
    key: string,
    { contentType, metadata, generation }: WithBytes,
  ): Promise<ResumableUpload> {
    const session = await bucket.request("storage.objects.create", key, async () => {
      const [uri] = await bucket.client.file(key).createResumableUpload({
        metadata: { contentType: contentType ?? defaultContentType, ...(metadata && { metadata }) },
        ...(generation !== undefined && { preconditionOpts: { ifGenerationMatch: generation } }),
      });
      return uri;
    });
    return new ResumableUpload(bucket, key, session);
  }

  /**
   * Sends the next bytes. @returns what the store says of the object after the last ones; undefined before, and where a condition of the
   * upload does not hold any more
   */
  async send(body: Uint8Array, { isLast }: { isLast: boolean }): Promise<FileMetadata | undefined> {
    const from = this.#sent;
    const end = from + body.length;
    const total = isLast ? String(end) : "*";
    const range = body.length === 0 ? `bytes */${total}` : `bytes ${from}-${end - 1}/${total}`;
    const answer = await this.#bucket.request("storage.objects.create", this.#key, async () => {
      const response = await fetch(this.#session, {
        method: "PUT",
        headers: { "content-range": range },
        body: Buffer.from(body),
        redirect: "manual",
      });
      const text = await response.text();
      // the store kept less than it was sent: the same bytes go there again
      const kept = /^bytes=0-(\d+)$/.exec(response.headers.get("range") ?? "")?.[1];
      if (response.status === 308 && kept !== undefined && Number(kept) + 1 < end) throw this.#notEnded();
      if (response.ok || response.status === 308 || (isLast && response.status === 412)) {
        return { status: response.status, text };
      }
      // ended or expired: it cannot be taken up
      if (response.status === 404 || response.status === 410) throw this.#notEnded();
      throw Object.assign(new Error(text.slice(0, 200) || response.statusText), { code: response.status });
    });
    this.#sent = end;
    if (!isLast || answer.status === 412) return undefined;
    if (answer.status === 308) {
      throw this.#notEnded();
    }
    return JSON.parse(answer.text) as FileMetadata;
  }

  #notEnded(): PipelineError {
    const reason = `the upload of ${this.#bucket.labelOf(this.#key)} did not end: it is to be written again`;
    return new PipelineError("StoreBusy", reason, { details: { key: this.#key } });
  }

  /** Gives up; what was sent is seen by nobody, and removed by the store after a week at the latest. */
  async abandon(): Promise<void> {
    await fetch(this.#session, { method: "DELETE" }).catch(() => undefined);
  }
}
