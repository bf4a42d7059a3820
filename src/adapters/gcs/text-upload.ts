import { createHash } from "node:crypto";
import { PipelineError } from "../../core/execution/errors.ts";
import type { PutTextOptions, TextDigest, TextUpload } from "../../ports/object-store.ts";
import type { GcsBucket } from "./bucket.ts";
import { metadataOf } from "./objects.ts";
import { defaultContentType, putText, ResumableUpload } from "./uploads.ts";

const chunkSize = 8 * 2 ** 20;

/** A text that goes out in chunks while it is printed; a small one is a single request. */
export class GcsTextUpload implements TextUpload {
  readonly #bucket: GcsBucket;
  readonly #key: string;
  readonly #contentType: string;
  readonly #hash = createHash("sha256");
  #upload: ResumableUpload | undefined;
  /** What lay there when the upload began: a condition of a session is made when it begins. */
  #generation = "0";
  #size = 0;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;

  constructor(bucket: GcsBucket, key: string, contentType = defaultContentType) {
    this.#bucket = bucket;
    this.#key = key;
    this.#contentType = contentType;
  }

  get written(): TextDigest {
    return { size: this.#size, sha256: this.#hash.copy().digest("hex") };
  }

  async write(text: string): Promise<void> {
    let rest = Buffer.from(text, "utf-8");
    this.#hash.update(rest);
    this.#size += rest.length;
    while (rest.length > 0) {
      // a full chunk waits until more comes: the last one says that it is
      if (this.#waitingBytes === chunkSize) await this.#send();
      const fitting = rest.subarray(0, chunkSize - this.#waitingBytes);
      this.#waiting.push(fitting);
      this.#waitingBytes += fitting.length;
      rest = rest.subarray(fitting.length);
    }
  }

  async finish({ ifAbsent = false }: Pick<PutTextOptions, "ifAbsent"> = {}): Promise<boolean> {
    const body = Buffer.concat(this.#waiting);
    const upload = this.#upload;
    if (upload === undefined) {
      const isWritten = await putText(this.#bucket, this.#key, body, { contentType: this.#contentType, ifAbsent });
      await this.abort();
      return isWritten;
    }
    if (ifAbsent && (this.#generation !== "0" || (await metadataOf(this.#bucket, this.#key)) !== undefined)) {
      await this.abort();
      return false;
    }
    const written = await upload.send(body, { isLast: true });
    this.#upload = undefined;
    await this.abort();
    if (written !== undefined) return true;
    if (ifAbsent) return false;
    throw new PipelineError(
      "StoreBusy",
      `${this.#bucket.labelOf(this.#key)} was written by somebody else meanwhile, as another run of the same step does; it is to be written again`,
      { details: { key: this.#key } },
    );
  }

  async abort(): Promise<void> {
    this.#waiting = [];
    this.#waitingBytes = 0;
    const upload = this.#upload;
    this.#upload = undefined;
    await upload?.abandon();
  }

  async #send(): Promise<void> {
    const body = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#upload ??= await this.#begin();
    await this.#upload.send(body, { isLast: false });
  }

  async #begin(): Promise<ResumableUpload> {
    this.#generation = String((await metadataOf(this.#bucket, this.#key))?.generation ?? "0");
    const contentType = this.#contentType;
    return ResumableUpload.begin(this.#bucket, this.#key, { contentType, generation: this.#generation });
  }
}
