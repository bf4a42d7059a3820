import { createHash } from "node:crypto";
import { kindOfChecksum } from "../../src/core/execution/checksum.ts";
import { contentHash } from "../../src/core/execution/content-hash.ts";
import { PipelineError } from "../../src/core/execution/errors.ts";
import { type BucketLock, covers, type ObjectLock, strongerOf } from "../../src/core/execution/object-lock.ts";
import type {
  ByteRange,
  CopiedObject,
  CopyOptions,
  ObjectStore,
  ObjectSummary,
  PutTextOptions,
  TextDigest,
  TextUpload,
  TextVersion,
} from "../../src/ports/object-store.ts";
import { SortedMap } from "./sorted-map.ts";
import { chunksOf } from "./text-chunks.ts";

/** Contents that were uploaded in parts. */
const inParts = new WeakSet<Buffer>();

/** The ETags of contents that rotted on the disk: the store does not know. */
const rotten = new WeakMap<Buffer, string>();

/** Small enough that texts of tests come in pieces. */
const pieceLength = 10_000;

/** Every call a store has had, as `<operation> <key or prefix>`: lets a test say what must not happen twice. */
export type RecordedCall = string;

/** What lies under a key, or lay there before it was replaced or hidden. */
interface Version {
  readonly body: Buffer;
  lock?: ObjectLock | undefined;
}

/** What a bucket of memory can do. */
export interface MemoryStoreOptions {
  /** Object Lock is on, and with it versions; an object: every new object gets it by itself. */
  readonly objectLock?: true | ObjectLock;
}

/** An object store in memory that keeps the contract of the port; for unit tests of steps. */
export class MemoryObjectStore implements ObjectStore {
  readonly bucket: string;
  readonly label: string;
  readonly calls: RecordedCall[] = [];
  readonly #objects = new SortedMap<Buffer>();
  readonly #faults: { matches: (call: RecordedCall) => boolean; error: () => Error; times: number }[] = [];

  readonly #options: MemoryStoreOptions;
  /** Of the objects that lie there now. */
  readonly #locks = new Map<string, ObjectLock>();
  /** Versions that were replaced, or hidden by a delete marker, oldest first. */
  readonly #earlier = new Map<string, Version[]>();
  /** Keys in an archive: what is listed, and not read before it is restored. */
  readonly #archived = new Map<string, "archived" | "restored">();

  constructor(bucket = "memory", options: MemoryStoreOptions = {}) {
    this.#options = options;
    this.bucket = bucket;
    this.label = `${bucket} in memory`;
  }

  /** Puts an object without recording a call. */
  seed(key: string, body: string | Buffer): void {
    this.#objects.set(key, Buffer.from(body));
  }

  /** Puts an object that was uploaded in parts: its ETag is no MD5, and the store keeps no checksum of the whole. */
  seedInParts(key: string, body: string | Buffer): void {
    const bytes = Buffer.from(body);
    inParts.add(bytes);
    this.#objects.set(key, bytes);
  }

  /** Turns a bit of an object on the disk: the store still lists and reports what it was. */
  corruptBelowEtag(key: string): void {
    const before = this.#require(key);
    const body = Buffer.from(before);
    body.writeUInt8(body.readUInt8(0) ^ 1, 0);
    rotten.set(body, summary(key, before).etag);
    this.#objects.set(key, body);
  }

  /** The content of an object, or undefined; records no call. */
  read(key: string): string | undefined {
    return this.#objects.get(key)?.toString();
  }

  /** The same as bytes. */
  bytes(key: string): Buffer | undefined {
    return this.#objects.get(key);
  }

  /** Bytes of all objects; records no call. */
  get storedBytes(): number {
    return this.#objects.bytes;
  }

  /** All keys, sorted; records no call. */
  keys(prefix = ""): string[] {
    return [...this.#objects.keysBelow(prefix)];
  }

  /** Deletes an object behind the store's back, as Milvus's garbage collection does. */
  remove(key: string): void {
    this.#locks.delete(key);
    this.#objects.delete(key);
  }

  /** How an object is locked that lies there now; records no call. */
  lockAt(key: string): ObjectLock | undefined {
    return this.#locks.get(key);
  }

  /** The contents under a key that were replaced or hidden, oldest first; records no call. */
  earlierVersions(key: string): string[] {
    return (this.#earlier.get(key) ?? []).map(({ body }) => body.toString());
  }

  /**
   * Deletes every version of a key for good, as a DELETE with their IDs does.
   * @throws StoreFailed where one of them is locked
   */
  removeVersions(key: string, now = new Date()): void {
    const versions = [...(this.#earlier.get(key) ?? []), { lock: this.#locks.get(key) }];
    if (versions.some(({ lock }) => lock !== undefined && Date.parse(lock.until) > now.getTime())) {
      throw new PipelineError("StoreFailed", `${key} in ${this.label} is WORM protected`, { details: { key } });
    }
    this.#earlier.delete(key);
    this.remove(key);
  }

  /** Puts an object into a class of archives, or makes it readable for a while. */
  archive(key: string, state: "archived" | "restored" = "archived"): void {
    this.#archived.set(key, state);
  }

  /** Makes the next `times` calls that match fail before they do anything. */
  failOn(matches: (call: RecordedCall) => boolean, error: () => Error, times = 1): void {
    this.#faults.push({ matches, error, times });
  }

  async *list(prefix: string, options: { startAfter?: string } = {}): AsyncIterable<ObjectSummary> {
    this.#record(`list ${prefix}`);
    for (const key of this.#objects.keysBelow(prefix, options.startAfter)) {
      const body = this.#objects.get(key);
      if (body !== undefined) yield { ...summary(key, body), ...(this.#archived.has(key) && { archived: true }) };
    }
  }

  async listDirectories(prefix: string): Promise<string[]> {
    this.#record(`listDirectories ${prefix}`);
    const directories = this.keys(prefix)
      .filter((key) => key.indexOf("/", prefix.length) >= 0)
      .map((key) => key.slice(0, key.indexOf("/", prefix.length) + 1));
    return [...new Set(directories)];
  }

  async listChildren(prefix: string): Promise<{ directories: string[]; objects: ObjectSummary[] }> {
    const directories = await this.listDirectories(prefix);
    const objects = this.keys(prefix)
      .filter((key) => key.indexOf("/", prefix.length) < 0)
      .map((key) => summary(key, this.#require(key)));
    return { directories, objects };
  }

  async head(key: string): Promise<ObjectSummary | undefined> {
    this.#record(`head ${key}`);
    const body = this.#objects.get(key);
    return body === undefined ? undefined : summary(key, body);
  }

  async getText(key: string): Promise<string> {
    this.#record(`getText ${key}`);
    return this.#require(key).toString();
  }

  async getTextIfPresent(key: string): Promise<string | undefined> {
    this.#record(`getText ${key}`);
    return this.#objects.get(key)?.toString();
  }

  async getVersionIfPresent(key: string): Promise<TextVersion | undefined> {
    const text = await this.getTextIfPresent(key);
    return text === undefined ? undefined : { text, etag: summary(key, Buffer.from(text)).etag };
  }

  async getBytes(key: string): Promise<Uint8Array> {
    this.#record(`getBytes ${key}`);
    return Uint8Array.from(this.#require(key));
  }

  async *readText(key: string, options: { ifMatch?: string } = {}): AsyncIterable<string> {
    this.#record(`readText ${key}`);
    const body = this.#require(key);
    if (options.ifMatch !== undefined && summary(key, body).etag !== options.ifMatch) {
      throw new PipelineError("ObjectNotFound", `${key} in ${this.label} was replaced while it was read`, {
        details: { key },
      });
    }
    yield* chunksOf(body.toString(), pieceLength);
  }

  async readRange(object: ObjectSummary, { offset, size }: ByteRange): Promise<Uint8Array> {
    this.#record(`readRange ${object.key}`);
    const body = this.#require(object.key);
    if (summary(object.key, body).etag === object.etag) return body.subarray(offset, offset + size);
    throw new PipelineError("ObjectNotFound", `${object.key} in ${this.label} was replaced`, {
      details: { key: object.key },
    });
  }

  async putText(key: string, body: string, options: PutTextOptions = {}): Promise<boolean> {
    this.#record(`putText ${key}`);
    const present = this.#objects.get(key);
    if (options.ifAbsent && present !== undefined) return false;
    if (options.ifMatch !== undefined && (present === undefined || summary(key, present).etag !== options.ifMatch)) {
      return false;
    }
    this.#write(key, Buffer.from(body), options.lock);
    return true;
  }

  openText(key: string, { lock }: Pick<PutTextOptions, "lock"> = {}): TextUpload {
    this.#record(`openText ${key}`);
    return new MemoryUpload((body, { ifAbsent = false }) => {
      this.#record(`finishText ${key}`);
      if (ifAbsent && this.#objects.has(key)) return false;
      this.#write(key, body, lock);
      return true;
    });
  }

  async copyFrom(
    source: ObjectStore,
    object: ObjectSummary,
    key: string,
    options: CopyOptions = {},
  ): Promise<CopiedObject> {
    this.#record(`copyFrom ${object.key}`);
    if (!(source instanceof MemoryObjectStore)) throw new Error("MemoryObjectStore copies from its own kind only");
    const known = options.existing === undefined ? await this.head(key) : (options.existing ?? undefined);
    if (known !== undefined && known.size === object.size && known.etag === object.etag) {
      if (options.lock !== undefined) await this.extendLock(key, options.lock);
      return {
        key,
        size: known.size,
        etag: known.etag,
        checksum: `md5:${known.etag.replace(/-2$/, "")}`,
        skipped: true,
      };
    }
    if (known !== undefined && options.overwrite === false) {
      throw new PipelineError(
        "CopyMismatch",
        `${key} in ${this.label} is no copy of ${object.key} in ${source.label}`,
        {
          details: { key },
        },
      );
    }
    const body = source.#listed(object);
    // also of an object in parts: a copy of its size is made at once
    const arrived = Buffer.from(body);
    this.#write(key, arrived, options.lock);
    if (options.storageClass === "GLACIER" || options.storageClass === "DEEP_ARCHIVE") this.archive(key);
    return { ...summary(key, arrived), checksum: `md5:${md5Of(arrived)}`, skipped: false };
  }

  async hasContent(object: ObjectSummary, checksum: string, options: { read: boolean }): Promise<boolean | undefined> {
    this.#record(`hasContent ${object.key}`);
    const body = this.#listed(object);
    const algorithm = kindOfChecksum(checksum);
    const isKept = algorithm === "md5" && !inParts.has(body);
    const known = rotten.get(body);
    if (isKept && known !== undefined) return `md5:${known}` === checksum;
    const hash = isKept || options.read ? contentHash(algorithm) : undefined;
    hash?.update(body);
    return hash && `${algorithm}:${hash.digest()}` === checksum;
  }

  async readChecksum(object: ObjectSummary, kind: string): Promise<string | undefined> {
    this.#record(`readChecksum ${object.key}`);
    const hash = contentHash(kind);
    hash?.update(this.#listed(object));
    return hash && `${kind}:${hash.digest()}`;
  }

  async bucketLock(): Promise<BucketLock> {
    this.#record("bucketLock");
    return { state: this.#options.objectLock === undefined ? "off" : "on" };
  }

  async lockOf(key: string): Promise<ObjectLock | undefined> {
    this.#record(`lockOf ${key}`);
    if (!this.#objects.has(key)) throw objectNotFound(key, this.label);
    return this.#locks.get(key);
  }

  async extendLock(key: string, lock: ObjectLock): Promise<void> {
    this.#record(`extendLock ${key}`);
    this.#checkLocks(key);
    if (!this.#objects.has(key)) throw objectNotFound(key, this.label);
    const held = this.#locks.get(key);
    if (covers(held, lock)) return;
    const wanted = strongerOf(held, lock);
    if (held !== undefined && held.mode !== wanted.mode) {
      throw new PipelineError("BackupLocked", `${key} in ${this.label} is locked in another mode`, {
        details: { key },
      });
    }
    this.#locks.set(key, wanted);
  }

  async checkReadable({ key }: ObjectSummary): Promise<void> {
    this.#record(`checkReadable ${key}`);
    if (this.#archived.get(key) === "archived") throw objectArchived(key, this.label);
  }

  async deletePrefix(prefix: string): Promise<number> {
    this.#record(`deletePrefix ${prefix}`);
    const keys = this.keys(prefix);
    for (const key of keys) this.#hide(key);
    return keys.length;
  }

  async deleteKeys(keys: readonly string[], { stillMay }: { readonly stillMay?: () => void } = {}): Promise<void> {
    this.#record(`deleteKeys ${keys.join(" ")}`);
    stillMay?.();
    for (const key of keys) this.#hide(key);
  }

  async checkAccess(): Promise<void> {
    this.#record("checkAccess");
  }

  /** An object as it was listed. */
  #listed({ key, etag }: ObjectSummary): Buffer {
    const body = this.#require(key);
    if (summary(key, body).etag !== etag) throw objectNotFound(key, this.label);
    return body;
  }

  #write(key: string, body: Buffer, lock: ObjectLock | undefined): void {
    const { objectLock } = this.#options;
    if (lock !== undefined) this.#checkLocks(key);
    this.#hide(key);
    this.#objects.set(key, body);
    this.#archived.delete(key);
    const given = lock ?? (objectLock === true ? undefined : objectLock);
    if (given !== undefined) this.#locks.set(key, given);
  }

  /** What lies there becomes an earlier version where the bucket keeps such ones: nothing refuses that. */
  #hide(key: string): void {
    const body = this.#objects.get(key);
    if (body !== undefined && this.#options.objectLock !== undefined) {
      this.#earlier.set(key, [...(this.#earlier.get(key) ?? []), { body, lock: this.#locks.get(key) }]);
    }
    this.remove(key);
  }

  #checkLocks(key: string): void {
    if (this.#options.objectLock !== undefined) return;
    const reason = `${key}: ${this.label} is missing ObjectLockConfiguration`;
    throw new PipelineError("StoreFailed", reason, { details: { key } });
  }

  #require(key: string): Buffer {
    const body = this.#objects.get(key);
    if (body === undefined) throw objectNotFound(key, this.label);
    if (this.#archived.get(key) === "archived") throw objectArchived(key, this.label);
    return body;
  }

  #record(call: RecordedCall): void {
    this.calls.push(call);
    const fault = this.#faults.find((candidate) => candidate.times > 0 && candidate.matches(call));
    if (fault !== undefined) {
      fault.times -= 1;
      throw fault.error();
    }
  }
}

/** A text on its way: nothing of it lies in the store before it is finished. */
class MemoryUpload implements TextUpload {
  readonly #finish: (body: Buffer, options: Pick<PutTextOptions, "ifAbsent">) => boolean;
  readonly #chunks: Buffer[] = [];
  #isOver = false;

  constructor(finish: (body: Buffer, options: Pick<PutTextOptions, "ifAbsent">) => boolean) {
    this.#finish = finish;
  }

  get written(): TextDigest {
    const body = Buffer.concat(this.#chunks);
    return { size: body.length, sha256: createHash("sha256").update(body).digest("hex") };
  }

  async write(text: string | Uint8Array): Promise<void> {
    if (this.#isOver) throw new Error("written to after its end");
    this.#chunks.push(typeof text === "string" ? Buffer.from(text) : Buffer.from(text));
  }

  async finish(options: Pick<PutTextOptions, "ifAbsent"> = {}): Promise<boolean> {
    if (this.#isOver) throw new Error("finished after its end");
    const isWritten = this.#finish(Buffer.concat(this.#chunks), options);
    this.#isOver = true;
    return isWritten;
  }

  async abort(): Promise<void> {
    this.#isOver = true;
  }
}

function summary(key: string, body: Buffer): ObjectSummary {
  const md5 = rotten.get(body) ?? md5Of(body);
  return { key, size: body.length, etag: inParts.has(body) ? `${md5}-2` : md5 };
}

function md5Of(body: Buffer): string {
  return createHash("md5").update(body).digest("hex");
}

function objectArchived(key: string, label: string): PipelineError {
  return new PipelineError("ObjectArchived", `${key} in ${label} has to be restored first`, { details: { key } });
}

function objectNotFound(key: string, label: string): PipelineError {
  return new PipelineError("ObjectNotFound", `${key} does not exist in ${label}`, { details: { key } });
}
