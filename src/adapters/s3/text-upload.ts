import { createHash } from "node:crypto";
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { PipelineError } from "../../core/execution/errors.ts";
import type { PutTextOptions, TextDigest, TextUpload } from "../../ports/object-store.ts";
import type { S3Bucket } from "./bucket.ts";
import { headObject } from "./content.ts";
import { abortAbandoned } from "./multipart.ts";
import { lockHeaders } from "./object-lock.ts";
import { defaultContentType, lostRace, putObject } from "./put-object.ts";

/** All parts but the last have it, as some stores insist on; 10,000 of them are 78 GiB. Smaller texts are one PutObject. */
const partSize = 8 * 2 ** 20;
/** What a text begins with: most of them stay small. */
const firstBuffer = 64 * 2 ** 10;

/** The memory of parts that are sent, for the next ones: megabytes that come and go leave holes in what a process holds. */
const spareParts: Buffer[] = [];
const mostSpareParts = 2;

function takePart(): Buffer {
  return spareParts.pop() ?? Buffer.allocUnsafeSlow(partSize);
}

function giveBack(buffer: Buffer): void {
  if (buffer.length === partSize && spareParts.length < mostSpareParts) spareParts.push(buffer);
}

/** A text that goes out in parts while it is printed: one part fills while the one before it is on its way. */
export class S3TextUpload implements TextUpload {
  readonly #bucket: S3Bucket;
  readonly #key: string;
  readonly #options: Pick<PutTextOptions, "contentType" | "lock">;
  readonly #hash = createHash("sha256");
  readonly #parts: CompletedPart[] = [];
  #size = 0;
  /** What is not sent yet: the first `#filled` bytes. */
  #buffer: Buffer = Buffer.allocUnsafeSlow(firstBuffer);
  #filled = 0;
  #uploadId: string | undefined;
  /** The part on its way; what it throws is thrown by the next call. */
  #sending: Promise<void> = Promise.resolve();

  constructor(bucket: S3Bucket, key: string, options: Pick<PutTextOptions, "contentType" | "lock">) {
    this.#bucket = bucket;
    this.#key = key;
    this.#options = options;
  }

  get written(): TextDigest {
    return { size: this.#size, sha256: this.#hash.copy().digest("hex") };
  }

  async write(text: string | Uint8Array): Promise<void> {
    // most texts fit, and are encoded where they are sent from
    const encoded = typeof text === "string" ? this.#encode(text) : undefined;
    const bytes = encoded ?? (typeof text === "string" ? Buffer.from(text, "utf-8") : text);
    this.#hash.update(bytes);
    this.#size += bytes.length;
    if (encoded !== undefined) return;
    for (let rest = bytes; rest.length > 0; ) {
      if (this.#filled === partSize) await this.#send();
      const fitting = rest.subarray(0, partSize - this.#filled);
      this.#reserve(fitting.length);
      this.#buffer.set(fitting, this.#filled);
      this.#filled += fitting.length;
      rest = rest.subarray(fitting.length);
    }
  }

  async finish(options: Pick<PutTextOptions, "ifAbsent"> = {}): Promise<boolean> {
    if (this.#uploadId !== undefined) {
      await this.#send();
      await this.#sending;
    }
    // also for stores that know no conditional writes, or know them for single objects only
    if (options.ifAbsent && (await headObject(this.#bucket, this.#key)) !== undefined) {
      await this.abort();
      return false;
    }
    const uploadId = this.#uploadId;
    if (uploadId === undefined) {
      const body = this.#buffer.subarray(0, this.#filled);
      const isWritten = await putObject(this.#bucket, this.#key, body, { ...this.#options, ...options });
      this.#release();
      return isWritten;
    }
    const done = await this.#complete(uploadId, options.ifAbsent ?? false);
    if (done) this.#uploadId = undefined;
    await this.abort();
    return done;
  }

  async abort(): Promise<void> {
    // a part that is still on its way would survive the abort
    await this.#sending.catch(() => undefined);
    this.#release();
    const UploadId = this.#uploadId;
    if (UploadId === undefined) return;
    this.#uploadId = undefined;
    // left to the next upload of the key, or to the bucket's lifecycle rule
    await this.#bucket.client
      .send(new AbortMultipartUploadCommand({ Bucket: this.#bucket.name, Key: this.#key, UploadId }))
      .catch(() => undefined);
  }

  async #send(): Promise<void> {
    await this.#sending;
    const buffer = this.#buffer;
    const body = buffer.subarray(0, this.#filled);
    this.#buffer = takePart();
    this.#filled = 0;
    this.#uploadId ??= await this.#begin();
    const PartNumber = this.#parts.length + 1;
    const part: CompletedPart = { PartNumber };
    this.#parts.push(part);
    const request = {
      Bucket: this.#bucket.name,
      Key: this.#key,
      UploadId: this.#uploadId,
      PartNumber,
      Body: body,
      ContentLength: body.length,
      ContentMD5: createHash("md5").update(body).digest("base64"),
    };
    this.#sending = this.#request(() => this.#bucket.client.send(new UploadPartCommand(request))).then(({ ETag }) => {
      part.ETag = ETag;
      giveBack(buffer);
    });
    this.#sending.catch(() => undefined);
  }

  /** Puts a text behind what waits; undefined where it may not fit into the part. */
  #encode(text: string): Uint8Array | undefined {
    const most = text.length * 3;
    if (this.#filled + most > partSize) return undefined;
    this.#reserve(most);
    const start = this.#filled;
    this.#filled += this.#buffer.write(text, start, "utf-8");
    return this.#buffer.subarray(start, this.#filled);
  }

  /** Makes room for so many bytes more, of one part at the most. */
  #reserve(bytes: number): void {
    if (this.#filled + bytes <= this.#buffer.length) return;
    const part = takePart();
    part.set(this.#buffer.subarray(0, this.#filled));
    this.#buffer = part;
  }

  #release(): void {
    giveBack(this.#buffer);
    this.#buffer = Buffer.alloc(0);
    this.#filled = 0;
  }

  async #begin(): Promise<string> {
    await abortAbandoned(this.#bucket, this.#key);
    const { UploadId } = await this.#request(() =>
      this.#bucket.client.send(
        new CreateMultipartUploadCommand({
          Bucket: this.#bucket.name,
          Key: this.#key,
          ContentType: this.#options.contentType ?? defaultContentType,
          ...lockHeaders(this.#options.lock),
        }),
      ),
    );
    if (UploadId !== undefined) return UploadId;
    throw new PipelineError("StoreFailed", `no upload ID for ${this.#key} in bucket ${this.#bucket.name}`);
  }

  /** false where the condition does not hold. */
  async #complete(uploadId: string, ifAbsent: boolean): Promise<boolean> {
    const command = (condition: { IfNoneMatch?: string }) =>
      new CompleteMultipartUploadCommand({
        Bucket: this.#bucket.name,
        Key: this.#key,
        UploadId: uploadId,
        MultipartUpload: { Parts: this.#parts },
        ...condition,
      });
    return this.#request(async () => {
      try {
        await this.#bucket.client.send(command(ifAbsent ? { IfNoneMatch: "*" } : {}));
        return true;
      } catch (error) {
        const name = error instanceof Error ? error.name : "";
        if (ifAbsent && lostRace(error)) return false;
        if (ifAbsent && name === "NotImplemented") {
          await this.#bucket.client.send(command({}));
          return true;
        }
        // completed by a request whose answer was lost, or ended by another run: what lies there tells
        if (ifAbsent && name === "NoSuchUpload" && (await headObject(this.#bucket, this.#key))) return false;
        throw error;
      }
    });
  }

  #request<T>(send: () => Promise<T>): Promise<T> {
    return this.#bucket.request("s3:PutObject", this.#key, send);
  }
}
