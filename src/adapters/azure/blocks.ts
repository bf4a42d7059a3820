import { createHash } from "node:crypto";
import type { BlobHTTPHeaders, BlockBlobCommitBlockListOptions } from "@azure/storage-blob";
import type { AzureContainer } from "./container.ts";
import { lostRace } from "./errors.ts";

/** What Azure allows in one blob. */
export const maximumBlocks = 50_000;

/**
 * Blocks on their way into one blob. A block is named by its place and its MD5: one that a killed function staged is found again, and not
 * sent twice. All names have one length, as the service insists on. What is never committed the service removes after a week.
 */
export class StagedBlocks {
  readonly #container: AzureContainer;
  readonly #key: string;
  readonly #names: string[] = [];
  #there: Promise<ReadonlyMap<string, number>> | undefined;

  constructor(container: AzureContainer, key: string) {
    this.#container = container;
    this.#key = key;
  }

  /** @param place from 0 */
  async stage(place: number, body: Uint8Array, md5: Buffer = createHash("md5").update(body).digest()): Promise<void> {
    const name = Buffer.from(`${String(place).padStart(6, "0")}-${md5.toString("hex")}`).toString("base64");
    this.#names[place] = name;
    this.#there ??= this.#uncommitted();
    if ((await this.#there).get(name) === body.length) return;
    await this.#container.request("Write", this.#key, (abortSignal) =>
      this.#blob.stageBlock(name, body, body.length, { abortSignal, transactionalContentMD5: md5 }),
    );
  }

  /** Makes the blob of them appear. @returns its ETag, in quotes */
  async commit(options: BlockBlobCommitBlockListOptions): Promise<string> {
    const answer = await this.#blob.commitBlockList(this.#names, options);
    return answer.etag ?? "";
  }

  /** The same where nothing lies at the key; false where something does. */
  async commitIfAbsent(blobHTTPHeaders: BlobHTTPHeaders): Promise<boolean> {
    return this.#container.request("Write", this.#key, async () => {
      try {
        await this.commit({ blobHTTPHeaders, conditions: { ifNoneMatch: "*" } });
        return true;
      } catch (error) {
        if (lostRace(error)) return false;
        throw error;
      }
    });
  }

  get #blob() {
    return this.#container.client.getBlockBlobClient(this.#key);
  }

  async #uncommitted(): Promise<Map<string, number>> {
    try {
      const { uncommittedBlocks = [] } = await this.#blob.getBlockList("uncommitted");
      return new Map(uncommittedBlocks.map(({ name, size }) => [name, size]));
    } catch {
      // none is there, or who writes may not read: they are sent
      return new Map();
    }
  }
}
