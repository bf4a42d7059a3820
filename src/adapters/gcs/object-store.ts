import type { FileMetadata } from "@google-cloud/storage";
import type { CopyMode } from "../../core/environment/environment.ts";
import { kindOfChecksum } from "../../core/execution/checksum.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { settleEach } from "../../core/execution/settle.ts";
import type {
  ByteRange,
  CopiedObject,
  CopyOptions,
  ObjectStore,
  ObjectSummary,
  PutTextOptions,
  TextUpload,
} from "../../ports/object-store.ts";
import type { Patience } from "../patience.ts";
import { sameContent } from "../streams/same-content.ts";
import { copySource, copyStreamed, onlyWithinOneStore } from "../streams/streamed-copy.ts";
import { GcsBucket, type GcsConnection } from "./bucket.ts";
import { copyServerSide, streamTarget } from "./copy.ts";
import { gcsStatus } from "./errors.ts";
import {
  hashByReading,
  knownChecksums,
  metadataOf,
  readObject,
  seen,
  sourceEtagMetadata,
  summaryOf,
} from "./objects.ts";
import { GcsTextUpload } from "./text-upload.ts";
import { putText } from "./uploads.ts";

export interface GcsObjectStoreOptions {
  readonly copyMode?: CopyMode;
  /** Where this store is used: access is checked below it. */
  readonly accessPrefix?: string;
  /** How long an outage is waited for once the store has answered; not at all where absent. */
  readonly patience?: Patience | undefined;
}

const keysPerPage = 1_000;
const parallelDeletes = 16;
/** What is asked for at once of a text that is read as it comes. */
const textPiece = 4 * 2 ** 20;

/** A bucket of Google Cloud Storage, by its own interface. */
export class GcsObjectStore implements ObjectStore {
  readonly label: string;
  readonly bucket: string;
  readonly #bucket: GcsBucket;
  readonly #options: GcsObjectStoreOptions;

  constructor(connection: GcsConnection, bucket: string, options: GcsObjectStoreOptions = {}) {
    this.#bucket = new GcsBucket(connection, bucket, options.patience);
    this.bucket = bucket;
    this.label = `${bucket} at ${connection.address}`;
    this.#options = options;
  }

  async *list(prefix: string, { startAfter }: { startAfter?: string } = {}): AsyncIterable<ObjectSummary> {
    // startOffset is inclusive
    const query = { prefix, ...(startAfter === undefined ? {} : { startOffset: startAfter }) };
    for await (const { files } of this.#pages(query)) {
      for (const object of files) if (object.key !== startAfter) yield object;
    }
  }

  async listDirectories(prefix: string): Promise<string[]> {
    return (await this.listChildren(prefix)).directories;
  }

  async listChildren(prefix: string): Promise<{ directories: string[]; objects: ObjectSummary[] }> {
    const directories: string[] = [];
    const objects: ObjectSummary[] = [];
    for await (const page of this.#pages({ prefix, delimiter: "/" })) {
      directories.push(...page.directories);
      objects.push(...page.files);
    }
    return { directories, objects };
  }

  async head(key: string): Promise<ObjectSummary | undefined> {
    const metadata = await metadataOf(this.#bucket, key);
    return metadata && summaryOf(key, metadata);
  }

  async getText(key: string): Promise<string> {
    return Buffer.from(await this.getBytes(key)).toString("utf-8");
  }

  async getTextIfPresent(key: string): Promise<string | undefined> {
    try {
      return await this.getText(key);
    } catch (error) {
      if (error instanceof PipelineError && error.name === "ObjectNotFound") return undefined;
      throw error;
    }
  }

  async *readText(key: string, { ifMatch }: { ifMatch?: string } = {}): AsyncIterable<string> {
    const object = await this.#present(key);
    if (ifMatch !== undefined && object.etag !== ifMatch) {
      throw new PipelineError("ObjectNotFound", `${this.#bucket.labelOf(key)} was replaced while it was read`, {
        details: { key },
      });
    }
    // a byte order mark is kept, as where an object is read whole
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    for (let offset = 0; offset < object.size; offset += textPiece) {
      const bytes = await this.readRange(object, { offset, size: textPiece });
      for (let at = 0; at < bytes.length; at += 2 ** 16) {
        const text = decoder.decode(bytes.subarray(at, at + 2 ** 16), { stream: true });
        if (text !== "") yield text;
      }
    }
    const last = decoder.decode();
    if (last !== "") yield last;
  }

  async getBytes(key: string): Promise<Uint8Array> {
    return readObject(this.#bucket, await this.#present(key));
  }

  async readRange(object: ObjectSummary, { offset, size }: ByteRange): Promise<Uint8Array> {
    return readObject(this.#bucket, object, { offset, size: Math.max(0, Math.min(size, object.size - offset)) });
  }

  async putText(key: string, body: string, options: PutTextOptions = {}): Promise<boolean> {
    return putText(this.#bucket, key, Buffer.from(body, "utf-8"), options);
  }

  openText(key: string, options: Pick<PutTextOptions, "contentType"> = {}): TextUpload {
    return new GcsTextUpload(this.#bucket, key, options.contentType);
  }

  async copyFrom(
    source: ObjectStore,
    object: ObjectSummary,
    key: string,
    options: CopyOptions = {},
  ): Promise<CopiedObject> {
    const existing = options.existing === undefined ? await this.head(key) : options.existing;
    const checksum = existing ? await this.#held(existing, object, source) : undefined;
    if (existing && checksum !== undefined) {
      return { key, size: existing.size, etag: existing.etag, checksum, skipped: true };
    }
    if (existing && options.overwrite === false) {
      throw new PipelineError(
        "CopyMismatch",
        `${key} in ${this.label} is no copy of ${object.key} in ${source.label}`,
        { details: { key } },
      );
    }
    const mode = this.#options.copyMode ?? "auto";
    const own = source instanceof GcsObjectStore && source.#identity === this.#identity ? source : undefined;
    if (mode === "server-side" && own === undefined) throw onlyWithinOneStore(source, this);
    if (own !== undefined && mode !== "streamed") return copyServerSide(own.#bucket, object, this.#bucket, key);
    return copyStreamed(copySource(source, object), object, streamTarget(this.#bucket, key, object));
  }

  async hasContent(object: ObjectSummary, checksum: string, { read }: { read: boolean }): Promise<boolean | undefined> {
    const algorithm = kindOfChecksum(checksum);
    const known = knownChecksums(await seen(this.#bucket, object)).find((one) => kindOfChecksum(one) === algorithm);
    if (known !== undefined) return known === checksum;
    if (!read) return undefined;
    const hashed = await hashByReading(this.#bucket, object, algorithm);
    return hashed === undefined ? undefined : `${algorithm}:${hashed}` === checksum;
  }

  async deletePrefix(prefix: string): Promise<number> {
    const keys: string[] = [];
    for await (const { key } of this.list(prefix)) keys.push(key);
    await this.deleteKeys(keys);
    return keys.length;
  }

  async deleteKeys(keys: readonly string[], { stillMay = () => {} }: { stillMay?: () => void } = {}): Promise<void> {
    await settleEach(keys, parallelDeletes, (key) =>
      this.#bucket.request("storage.objects.delete", key, async () => {
        stillMay();
        await this.#bucket.client
          .file(key)
          .delete()
          .catch((error: unknown) => {
            if (gcsStatus(error) !== 404) throw error;
          });
      }),
    );
  }

  async checkAccess(prefix: string = this.#options.accessPrefix ?? ""): Promise<void> {
    await this.#bucket.request("storage.objects.list", undefined, () =>
      this.#bucket.client.getFiles({ prefix, maxResults: 1, autoPaginate: false }),
    );
  }

  get #identity(): string {
    return this.#bucket.connection.endpointIdentity;
  }

  async #present(key: string): Promise<ObjectSummary> {
    const object = await this.head(key);
    if (object !== undefined) return object;
    throw new PipelineError("ObjectNotFound", `${this.#bucket.labelOf(key)} does not exist`, { details: { key } });
  }

  async *#pages(query: { prefix: string; startOffset?: string; delimiter?: string }) {
    let pageToken: string | undefined;
    do {
      const [files, next, answer] = await this.#bucket.request("storage.objects.list", undefined, () =>
        this.#bucket.client.getFiles({
          ...query,
          autoPaginate: false,
          maxResults: keysPerPage,
          ...(pageToken === undefined ? {} : { pageToken }),
        }),
      );
      const { prefixes = [] } = (answer ?? {}) as { prefixes?: string[] };
      yield {
        directories: prefixes,
        files: files.map((file): ObjectSummary => summaryOf(file.name, file.metadata as FileMetadata)),
      };
      pageToken = (next as { pageToken?: string } | null)?.pageToken;
    } while (pageToken !== undefined);
  }

  /** The checksum of what lies at the destination where it is a copy of this very object; undefined where it is not. */
  async #held(existing: ObjectSummary, object: ObjectSummary, source: ObjectStore): Promise<string | undefined> {
    if (existing.size !== object.size) return undefined;
    const metadata = await metadataOf(this.#bucket, existing.key);
    if (metadata === undefined || String(metadata.generation) !== existing.etag) return undefined;
    const [known] = knownChecksums(metadata);
    const isNoted = metadata.metadata?.[sourceEtagMetadata] === object.etag;
    // an object of another store by its content, where that store tells it
    const isSame = isNoted || (known !== undefined && (await sameContent(source, object, known)));
    if (!isSame) return undefined;
    return known ?? `md5:${await hashByReading(this.#bucket, existing, "md5")}`;
  }
}
