import { createHash } from "node:crypto";
import type { PutTextOptions } from "../../ports/object-store.ts";
import { ChunkedText } from "../streams/chunked-text.ts";
import { StagedBlocks } from "./blocks.ts";
import type { AzureContainer } from "./container.ts";
import { defaultContentType, putBlob } from "./put-blob.ts";

const blockSize = 8 * 2 ** 20;

/** A text in blocks; a small one is a single request. */
export class AzureTextUpload extends ChunkedText {
  readonly #container: AzureContainer;
  readonly #key: string;
  readonly #contentType: string;
  readonly #md5 = createHash("md5");
  #blocks: StagedBlocks | undefined;
  #count = 0;

  constructor(container: AzureContainer, key: string, contentType = defaultContentType) {
    super(blockSize);
    this.#container = container;
    this.#key = key;
    this.#contentType = contentType;
  }

  async finish({ ifAbsent = false }: Pick<PutTextOptions, "ifAbsent"> = {}): Promise<boolean> {
    const body = this.takeWaiting();
    const blocks = this.#blocks;
    if (blocks === undefined) {
      return putBlob(this.#container, this.#key, body, { contentType: this.#contentType, ifAbsent });
    }
    if (body.length > 0) await this.sendChunk(body);
    const blobHTTPHeaders = { blobContentType: this.#contentType, blobContentMD5: this.#md5.digest() };
    if (ifAbsent) return blocks.commitIfAbsent(blobHTTPHeaders);
    await this.#container.request("Write", this.#key, () => blocks.commit({ blobHTTPHeaders }));
    return true;
  }

  /** Blocks that are never committed are seen by nobody, and removed by the service after a week. */
  async abort(): Promise<void> {
    this.takeWaiting();
  }

  protected async sendChunk(body: Buffer): Promise<void> {
    this.#blocks ??= new StagedBlocks(this.#container, this.#key);
    this.#md5.update(body);
    await this.#blocks.stage(this.#count, body);
    this.#count += 1;
  }
}
