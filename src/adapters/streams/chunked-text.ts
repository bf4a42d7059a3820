import { createHash } from "node:crypto";
import type { PutTextOptions, TextDigest, TextUpload } from "../../ports/object-store.ts";

/** A text that goes out in chunks of one size while it is printed; the last one is kept for the end. */
export abstract class ChunkedText implements TextUpload {
  readonly #chunkSize: number;
  readonly #hash = createHash("sha256");
  #size = 0;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;

  /** @param chunkSize bytes */
  constructor(chunkSize: number) {
    this.#chunkSize = chunkSize;
  }

  get written(): TextDigest {
    return { size: this.#size, sha256: this.#hash.copy().digest("hex") };
  }

  async write(text: string | Uint8Array): Promise<void> {
    let rest =
      typeof text === "string" ? Buffer.from(text, "utf-8") : Buffer.from(text.buffer, text.byteOffset, text.length);
    this.#hash.update(rest);
    this.#size += rest.length;
    while (rest.length > 0) {
      if (this.#waitingBytes === this.#chunkSize) await this.sendChunk(this.takeWaiting());
      const fitting = rest.subarray(0, this.#chunkSize - this.#waitingBytes);
      this.#waiting.push(fitting);
      this.#waitingBytes += fitting.length;
      rest = rest.subarray(fitting.length);
    }
  }

  abstract finish(options?: Pick<PutTextOptions, "ifAbsent">): Promise<boolean>;
  abstract abort(): Promise<void>;

  /** Sends a full chunk, behind which more comes. */
  protected abstract sendChunk(body: Buffer): Promise<void>;

  /** What is not sent yet; it is gone from here. */
  protected takeWaiting(): Buffer {
    const body = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    return body;
  }
}
