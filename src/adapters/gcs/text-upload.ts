import { PipelineError } from "../../core/execution/errors.ts";
import type { PutTextOptions } from "../../ports/object-store.ts";
import { ChunkedText } from "../streams/chunked-text.ts";
import type { GcsBucket } from "./bucket.ts";
import { metadataOf } from "./objects.ts";
import { defaultContentType, putText, ResumableUpload } from "./uploads.ts";

/** A multiple of 256 KiB, as every chunk but the last has to be. */
const chunkSize = 8 * 2 ** 20;

/** A text as a resumable upload; a small one is a single request. */
export class GcsTextUpload extends ChunkedText {
  readonly #bucket: GcsBucket;
  readonly #key: string;
  readonly #contentType: string;
  #upload: ResumableUpload | undefined;
  /** What lay there when the upload began: a condition of a session is made when it begins. */
  #generation = "0";

  constructor(bucket: GcsBucket, key: string, contentType = defaultContentType) {
    super(chunkSize);
    this.#bucket = bucket;
    this.#key = key;
    this.#contentType = contentType;
  }

  async finish({ ifAbsent = false }: Pick<PutTextOptions, "ifAbsent"> = {}): Promise<boolean> {
    const upload = this.#upload;
    if (upload === undefined) {
      return putText(this.#bucket, this.#key, this.takeWaiting(), { contentType: this.#contentType, ifAbsent });
    }
    if (ifAbsent && (this.#generation !== "0" || (await metadataOf(this.#bucket, this.#key)) !== undefined)) {
      await this.abort();
      return false;
    }
    const written = await upload.send(this.takeWaiting(), { isLast: true });
    this.#upload = undefined;
    if (written !== undefined) return true;
    if (ifAbsent) return false;
    throw new PipelineError(
      "StoreBusy",
      `${this.#bucket.labelOf(this.#key)} was written by somebody else meanwhile, as another run of the same step does; it is to be written again`,
      { details: { key: this.#key } },
    );
  }

  async abort(): Promise<void> {
    this.takeWaiting();
    const upload = this.#upload;
    this.#upload = undefined;
    await upload?.abandon();
  }

  protected async sendChunk(body: Buffer): Promise<void> {
    if (this.#upload === undefined) {
      this.#generation = String((await metadataOf(this.#bucket, this.#key))?.generation ?? "0");
      const condition = { contentType: this.#contentType, generation: this.#generation };
      this.#upload = await ResumableUpload.begin(this.#bucket, this.#key, condition);
    }
    await this.#upload.send(body, { isLast: false });
  }
}
