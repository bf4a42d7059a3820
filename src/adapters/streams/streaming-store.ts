import type { CopyMode } from "../../core/environment/environment.ts";
import { kindOfChecksum } from "../../core/execution/checksum.ts";
import { contentHash } from "../../core/execution/content-hash.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { BucketLock } from "../../core/execution/object-lock.ts";
import type {
  ByteRange,
  CopiedObject,
  CopyOptions,
  ObjectStore,
  ObjectSummary,
  PutTextOptions,
  TextUpload,
  TextVersion,
} from "../../ports/object-store.ts";
import type { Patience } from "../patience.ts";
import { ifPresent } from "./if-present.ts";
import { splitIntoParts, streamedPartSize, streamMemory } from "./parts.ts";
import { copySource, copyStreamed, onlyWithinOneStore, type StreamTarget } from "./streamed-copy.ts";

export interface StreamingStoreOptions {
  readonly copyMode?: CopyMode;
  /** Where this store is used: access is checked below it. */
  readonly accessPrefix?: string;
  /** Where the bucket's name is written, for messages: `minio.bucketName of environment prod`. */
  readonly bucketKey?: string | undefined;
  /** How long an outage is waited for once the store has answered; not at all where absent. */
  readonly patience?: Patience | undefined;
}

/** An object that is replaced between two requests is looked at again. */
const versionAttempts = 8;

/** What a store tells of an object without its being read. */
export interface KnownContent {
  /** `<algorithm>:<value>` of the whole, the MD5 first. */
  readonly checksums: readonly string[];
  /** The ETag of what it is noted to be a copy of. */
  readonly sourceEtag: string | undefined;
}

/** What the stores have in common that do not speak S3: whatever follows from reading, listing and looking. */
export abstract class StreamingStore implements ObjectStore {
  abstract readonly label: string;
  abstract readonly bucket: string;
  /** Equal for two that can copy from each other. */
  protected abstract readonly identity: string;
  protected readonly options: StreamingStoreOptions;

  constructor(options: StreamingStoreOptions) {
    this.options = options;
  }

  abstract list(prefix: string, options?: { startAfter?: string }): AsyncIterable<ObjectSummary>;
  abstract listChildren(prefix: string): Promise<{ directories: string[]; objects: ObjectSummary[] }>;
  abstract head(key: string): Promise<ObjectSummary | undefined>;
  abstract readText(key: string, options?: { ifMatch?: string }): AsyncIterable<string>;
  abstract readRange(object: ObjectSummary, range: ByteRange): Promise<Uint8Array>;
  abstract putText(key: string, body: string, options?: PutTextOptions): Promise<boolean>;
  abstract openText(key: string, options?: Pick<PutTextOptions, "contentType">): TextUpload;
  abstract deleteKeys(keys: readonly string[], options?: { readonly stillMay?: () => void }): Promise<void>;
  abstract checkAccess(prefix?: string): Promise<void>;

  /** @throws ObjectNotFound where it is not the object that was seen any more */
  protected abstract knownContent(object: ObjectSummary): Promise<KnownContent>;
  protected abstract streamTarget(key: string, object: ObjectSummary): StreamTarget;
  /** undefined where the store does not know how. */
  protected abstract copyWithin(source: this, object: ObjectSummary, key: string): Promise<CopiedObject | undefined>;

  async listDirectories(prefix: string): Promise<string[]> {
    return (await this.listChildren(prefix)).directories;
  }

  async getText(key: string): Promise<string> {
    return Buffer.from(await this.getBytes(key)).toString("utf-8");
  }

  async getTextIfPresent(key: string): Promise<string | undefined> {
    return ifPresent(() => this.getText(key));
  }

  async getVersionIfPresent(key: string): Promise<TextVersion | undefined> {
    for (let attempt = 0; attempt < versionAttempts; attempt += 1) {
      const object = await this.head(key);
      if (object === undefined) return undefined;
      const bytes = await ifPresent(() => this.readRange(object, { offset: 0, size: object.size }));
      if (bytes !== undefined) return { text: Buffer.from(bytes).toString("utf-8"), etag: object.etag };
    }
    const reason = `${key} in ${this.label} was replaced again and again while it was read`;
    throw new PipelineError("StoreBusy", reason, { details: { key } });
  }

  async getBytes(key: string): Promise<Uint8Array> {
    const object = await this.present(key);
    return this.readRange(object, { offset: 0, size: object.size });
  }

  async hasContent(object: ObjectSummary, checksum: string, { read }: { read: boolean }): Promise<boolean | undefined> {
    const algorithm = kindOfChecksum(checksum);
    const { checksums } = await this.knownContent(object);
    const known = checksums.find((one) => kindOfChecksum(one) === algorithm);
    if (known !== undefined) return known === checksum;
    const found = read ? await this.readChecksum(object, algorithm) : undefined;
    return found === undefined ? undefined : found === checksum;
  }

  async readChecksum(object: ObjectSummary, kind: string): Promise<string | undefined> {
    const hashed = await this.hashByReading(object, kind);
    return hashed === undefined ? undefined : `${kind}:${hashed}`;
  }

  async bucketLock(): Promise<BucketLock> {
    return { state: "unsupported" };
  }

  async lockOf(): Promise<undefined> {
    return undefined;
  }

  async extendLock(key: string): Promise<never> {
    throw this.#withoutLocks(key);
  }

  async checkReadable(): Promise<void> {}

  async deletePrefix(prefix: string): Promise<number> {
    const keys: string[] = [];
    for await (const { key } of this.list(prefix)) keys.push(key);
    await this.deleteKeys(keys);
    return keys.length;
  }

  async copyFrom(
    source: ObjectStore,
    object: ObjectSummary,
    key: string,
    options: CopyOptions = {},
  ): Promise<CopiedObject> {
    if (options.lock !== undefined) throw this.#withoutLocks(key);
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
    const mode = this.options.copyMode ?? "auto";
    const own = this.#isOwn(source) ? source : undefined;
    if (mode === "server-side" && own === undefined) throw onlyWithinOneStore(source, this);
    if (own !== undefined && mode !== "streamed") {
      const copied = await this.copyWithin(own, object, key);
      if (copied !== undefined) return copied;
      if (mode === "server-side") {
        const reason = `${this.label} knows no such copies: set copyMode to auto or streamed`;
        throw new PipelineError("StoreFailed", reason, { details: { key: "minio.copyMode" } });
      }
    }
    return copyStreamed(copySource(source, object), object, this.streamTarget(key, object));
  }

  /** The object at a key. @throws ObjectNotFound */
  protected async present(key: string): Promise<ObjectSummary> {
    const object = await this.head(key);
    if (object !== undefined) return object;
    throw new PipelineError("ObjectNotFound", `${key} in ${this.label} does not exist`, { details: { key } });
  }

  /** What a hash makes of an object, by reading it with bounded memory; undefined for one that nobody knows. */
  protected async hashByReading(object: ObjectSummary, algorithm: string): Promise<string | undefined> {
    const hash = contentHash(algorithm);
    if (hash === undefined) return undefined;
    for (const part of splitIntoParts(object.size, streamedPartSize)) {
      await streamMemory.run(part.size, async () => hash.update(await this.readRange(object, part)));
    }
    return hash.digest();
  }

  #withoutLocks(key: string): PipelineError {
    const reason = `${this.label} cannot lock ${key}: locks are set in stores that speak S3`;
    return new PipelineError("StoreFailed", reason, { details: { key } });
  }

  #isOwn(source: ObjectStore): source is this {
    return source instanceof StreamingStore && source.identity === this.identity;
  }

  /** The checksum of what lies at the destination where it is a copy of this very object; undefined where it is not. */
  async #held(existing: ObjectSummary, object: ObjectSummary, source: ObjectStore): Promise<string | undefined> {
    if (existing.size !== object.size) return undefined;
    return ifPresent(async () => {
      const { checksums, sourceEtag } = await this.knownContent(existing);
      const [known] = checksums;
      // an object of another store by its content, where that store tells it; gone or replaced there, the copy tells
      const isSame =
        sourceEtag === object.etag ||
        (known !== undefined && (await ifPresent(() => source.hasContent(object, known, { read: false }))) === true);
      if (!isSame) return undefined;
      return known ?? `md5:${await this.hashByReading(existing, "md5")}`;
    });
  }
}
