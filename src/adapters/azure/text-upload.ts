import { createHash } from "node:crypto";
import type { PutTextOptions, TextDigest, TextUpload } from "../../ports/object-store.ts";
import { StagedBlocks } from "./blocks.ts";
import type { AzureContainer } from "./container.ts";
import { defaultContentType, putBlob } from "./put-blob.ts";

const blockSize = 8 * 2 ** 20;

/** A text that goes out in blocks while it is printed; a small one is a single request. */
export class AzureTextUpload implements TextUpload {
  readonly #container: AzureContainer;
  readonly #key: string;
  readonly #contentType: string;
  readonly #hash = createHash("sha256");
  readonly #md5 = createHash("md5");
  #blocks: StagedBlocks | undefined;
  #count = 0;
  #size = 0;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;

  constructor(container: AzureContainer, key: string, contentType = defaultContentType) {
    this.#container = container;
    this.#key = key;
    this.#contentType = contentType;
  }

  get written(): TextDigest {
    return { size: this.#size, sha256: this.#hash.copy().digest("hex") };
  }

  async write(text: string): Promise<void> {
    let rest = Buffer.from(text, "utf-8");
    this.#hash.update(rest);
    this.#md5.update(rest);
    this.#size += rest.length;
    while (rest.length > 0) {
      const fitting = rest.subarray(0, blockSize - this.#waitingBytes);
      this.#waiting.push(fitting);
      this.#waitingBytes += fitting.length;
      rest = rest.subarray(fitting.length);
      if (this.#waitingBytes === blockSize) await this.#send();
    }
  }

  async finish(options: Pick<PutTextOptions, "ifAbsent"> = {}): Promise<boolean> {
    const body = Buffer.concat(this.#waiting);
    if (this.#blocks === undefined) {
      const isWritten = await putBlob(this.#container, this.#key, body, { contentType: this.#contentType, ...options });
      await this.abort();
      return isWritten;
    }
    if (body.length > 0) await this.#send();
    const blocks = this.#blocks;
    const headers = { blobContentType: this.#contentType, blobContentMD5: this.#md5.copy().digest() };
    if (options.ifAbsent) return blocks.commitIfAbsent(headers);
    await this.#container.request("Write", this.#key, () => blocks.commit({ blobHTTPHeaders: headers }));
    return true;
  }

  /** Blocks that are never committed are seen by nobody, and removed by the service after a week. */
  async abort(): Promise<void> {
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  async #send(): Promise<void> {
    const body = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#blocks ??= new StagedBlocks(this.#container, this.#key);
    await this.#blocks.stage(this.#count, body);
    this.#count += 1;
  }
}
