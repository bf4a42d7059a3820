import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  type _Object as ListedObject,
  ListObjectsV2Command,
} from "@aws-sdk/client-s3";
import type { CopyMode } from "../../core/environment/environment.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { BucketLock, ObjectLock } from "../../core/execution/object-lock.ts";
import { settleEach } from "../../core/execution/settle.ts";
import { isArchiveClass } from "../../core/execution/storage-class.ts";
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
import type { StoreProbe } from "../../ports/store-probe.ts";
import type { Patience } from "../patience.ts";
import { ifPresent } from "../streams/if-present.ts";
import { copySource, copyStreamed, onlyWithinOneStore } from "../streams/streamed-copy.ts";
import { checkReadable } from "./archive.ts";
import { S3Bucket } from "./bucket.ts";
import type { S3Connection } from "./connection.ts";
import { headObject, looksLikeMd5, sourceEtagMetadata, tellingMissing, unquote } from "./content.ts";
import { checksumOf, hasContent, readChecksum } from "./content-checksum.ts";
import { bucketLock, extendLock, lockOf } from "./object-lock.ts";
import { s3Probe } from "./probe.ts";
import { putObject } from "./put-object.ts";
import { readRange } from "./read-object.ts";
import { readText } from "./read-text.ts";
import { copyObjectLimitBytes, copyServerSide } from "./server-side-copy.ts";
import { s3Source, streamTarget } from "./streamed-copy.ts";
import { S3TextUpload } from "./text-upload.ts";

export interface S3ObjectStoreOptions {
  readonly copyMode?: CopyMode;
  /** Server-side copies from this size on are made in parallel parts. */
  readonly multipartCopyThresholdBytes?: number;
  /** Where this store is used: access is checked below it, since a policy may grant nothing else. */
  readonly accessPrefix?: string;
  /** Where the bucket's name is written, for messages: `minio.bucketName of environment prod`. */
  readonly bucketKey?: string | undefined;
  /** How long an outage is waited for once the store has answered; not at all where absent. */
  readonly patience?: Patience | undefined;
}

/** S3 deletes at most this many keys in one request. */
const keysPerDelete = 1_000;
const parallelDeletes = 16;

/** A bucket of AWS S3, MinIO or another store that speaks S3. */
export class S3ObjectStore implements ObjectStore {
  readonly label: string;
  readonly bucket: string;
  readonly probe: StoreProbe;
  readonly #s3: S3Bucket;
  readonly #options: S3ObjectStoreOptions;
  /** Sources that this store refused to read server-side once: not asked again for every object. */
  readonly #refusedSources = new Set<string>();

  constructor(connection: S3Connection, bucket: string, options: S3ObjectStoreOptions = {}) {
    this.#s3 = new S3Bucket(connection, bucket, {
      scope: options.accessPrefix ?? "",
      bucketKey: options.bucketKey,
      patience: options.patience,
    });
    this.bucket = bucket;
    this.probe = s3Probe(this.#s3);
    this.label = `${bucket} at ${connection.address}`;
    this.#options = options;
  }

  async *list(prefix: string, options: { startAfter?: string } = {}): AsyncIterable<ObjectSummary> {
    let ContinuationToken: string | undefined;
    do {
      const request = { Bucket: this.bucket, Prefix: prefix, StartAfter: options.startAfter, ContinuationToken };
      const page = await this.#s3.request("s3:ListBucket", { prefix }, () =>
        this.#s3.client.send(new ListObjectsV2Command(request)),
      );
      for (const listed of page.Contents ?? []) if (listed.Key !== undefined) yield summaryOf(listed);
      ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (ContinuationToken !== undefined);
  }

  async listDirectories(prefix: string): Promise<string[]> {
    return (await this.listChildren(prefix)).directories;
  }

  async listChildren(prefix: string): Promise<{ directories: string[]; objects: ObjectSummary[] }> {
    const directories: string[] = [];
    const objects: ObjectSummary[] = [];
    let ContinuationToken: string | undefined;
    do {
      const request = { Bucket: this.bucket, Prefix: prefix, Delimiter: "/", ContinuationToken };
      const page = await this.#s3.request("s3:ListBucket", { prefix }, () =>
        this.#s3.client.send(new ListObjectsV2Command(request)),
      );
      for (const { Prefix } of page.CommonPrefixes ?? []) if (Prefix !== undefined) directories.push(Prefix);
      for (const listed of page.Contents ?? []) if (listed.Key !== undefined) objects.push(summaryOf(listed));
      ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (ContinuationToken !== undefined);
    return { directories, objects };
  }

  async head(key: string): Promise<ObjectSummary | undefined> {
    const found = await headObject(this.#s3, key);
    return found === undefined ? undefined : { key, size: found.ContentLength ?? 0, etag: unquote(found.ETag) };
  }

  async getText(key: string): Promise<string> {
    return (await this.#getVersion(key)).text;
  }

  async getTextIfPresent(key: string): Promise<string | undefined> {
    return ifPresent(() => this.getText(key));
  }

  async getVersionIfPresent(key: string): Promise<TextVersion | undefined> {
    return ifPresent(() => this.#getVersion(key));
  }

  async getBytes(key: string): Promise<Uint8Array> {
    const object = await this.head(key);
    if (object === undefined) {
      throw this.#s3.fault("s3:GetObject", key, Object.assign(new Error("not there"), { name: "NoSuchKey" }));
    }
    return (await readRange(this.#s3, object, undefined)).body;
  }

  readText(key: string, options: { ifMatch?: string } = {}): AsyncIterable<string> {
    return readText(this.#s3, key, options.ifMatch);
  }

  async readRange(object: ObjectSummary, range: ByteRange): Promise<Uint8Array> {
    const size = Math.min(range.size, object.size - range.offset);
    if (size <= 0) return new Uint8Array();
    const { offset } = range;
    return (await tellingMissing(this.#s3, object.key, () => readRange(this.#s3, object, { offset, size }))).body;
  }

  async putText(key: string, body: string, options: PutTextOptions = {}): Promise<boolean> {
    return putObject(this.#s3, key, Buffer.from(body, "utf-8"), options);
  }

  openText(key: string, options: Pick<PutTextOptions, "contentType" | "lock"> = {}): TextUpload {
    return new S3TextUpload(this.#s3, key, options);
  }

  async copyFrom(
    source: ObjectStore,
    object: ObjectSummary,
    key: string,
    options: CopyOptions = {},
  ): Promise<CopiedObject> {
    const existing = options.existing === undefined ? await this.head(key) : options.existing;
    const checksum = existing === null || existing === undefined ? undefined : await this.#held(existing, object);
    if (existing && checksum !== undefined) {
      if (options.lock !== undefined) await this.extendLock(key, options.lock);
      return { key, size: existing.size, etag: existing.etag, checksum, skipped: true };
    }
    if (existing && options.overwrite === false) {
      throw new PipelineError(
        "CopyMismatch",
        `${key} in ${this.label} is no copy of ${object.key} in ${source.label}`,
        {
          details: { key },
        },
      );
    }
    const target = streamTarget(this.#s3, key, object, options);
    if (!(source instanceof S3ObjectStore)) {
      if (this.#options.copyMode === "server-side") throw onlyWithinOneStore(source, this);
      return copyStreamed(copySource(source, object), object, target);
    }
    const streamed = () => copyStreamed(s3Source(source.#s3, object), object, target);
    if (!this.#mayCopyServerSide(source)) return streamed();
    const multipartThreshold = this.#options.multipartCopyThresholdBytes ?? copyObjectLimitBytes;
    const { lock, storageClass } = options;
    try {
      return await copyServerSide(source.#s3, object, this.#s3, key, { multipartThreshold, lock, storageClass });
    } catch (error) {
      if (!this.#mayStreamInstead(source, error)) throw error;
      this.#refusedSources.add(source.#identity);
      return streamed();
    }
  }

  async hasContent(object: ObjectSummary, checksum: string, options: { read: boolean }): Promise<boolean | undefined> {
    return hasContent(this.#s3, object, checksum, options);
  }

  async readChecksum(object: ObjectSummary, kind: string): Promise<string | undefined> {
    return readChecksum(this.#s3, object, kind);
  }

  async bucketLock(): Promise<BucketLock> {
    return bucketLock(this.#s3);
  }

  async lockOf(key: string): Promise<ObjectLock | undefined> {
    return lockOf(this.#s3, key);
  }

  async extendLock(key: string, lock: ObjectLock): Promise<void> {
    await extendLock(this.#s3, key, lock);
  }

  async checkReadable({ key }: ObjectSummary): Promise<void> {
    await checkReadable(this.#s3, key);
  }

  async deletePrefix(prefix: string): Promise<number> {
    const keys: string[] = [];
    for await (const { key } of this.list(prefix)) keys.push(key);
    await this.deleteKeys(keys);
    return keys.length;
  }

  async deleteKeys(keys: readonly string[], { stillMay = () => {} }: { stillMay?: () => void } = {}): Promise<void> {
    const perRequest = this.#s3.connection.dialect === "gcp" ? 1 : keysPerDelete;
    const groups = Array.from({ length: Math.ceil(keys.length / perRequest) }, (_, index) =>
      keys.slice(index * perRequest, (index + 1) * perRequest),
    );
    await settleEach(groups, parallelDeletes, (group) => this.#deleteGroup(group, stillMay));
  }

  async checkAccess(prefix: string = this.#options.accessPrefix ?? ""): Promise<void> {
    const request = { Bucket: this.bucket, Prefix: prefix, MaxKeys: 1 };
    const page = await this.#s3.request("s3:ListBucket", { prefix }, () =>
      this.#s3.client.send(new ListObjectsV2Command(request)),
    );
    // a web page (a proxy's, or the console beside a MinIO) answers anything with success
    if (page.Name === undefined && page.KeyCount === undefined && page.IsTruncated === undefined) {
      const reason = `${this.label}: what answers there is no object store: check address and port`;
      throw new PipelineError("StoreFailed", reason, { details: { bucket: this.bucket } });
    }
  }

  /** Which bucket of which store with whose credentials; holds no secret. */
  get #identity(): string {
    const { endpointIdentity, credentialsIdentity } = this.#s3.connection;
    return `${endpointIdentity} ${credentialsIdentity} ${this.bucket}`;
  }

  async #getVersion(key: string): Promise<TextVersion> {
    return tellingMissing(this.#s3, key, () =>
      this.#s3.request("s3:GetObject", key, async () => {
        const found = await this.#s3.client.send(new GetObjectCommand({ Bucket: this.bucket, Key: key }));
        return { text: (await found.Body?.transformToString("utf-8")) ?? "", etag: unquote(found.ETag) };
      }),
    );
  }

  #mayCopyServerSide(source: S3ObjectStore): boolean {
    const mode = this.#options.copyMode ?? "auto";
    const oneStore = source.#s3.connection.endpointIdentity === this.#s3.connection.endpointIdentity;
    if (mode === "server-side" && !oneStore) {
      throw onlyWithinOneStore(source, this);
    }
    if (mode !== "auto") return mode === "server-side";
    return oneStore && !this.#refusedSources.has(source.#identity);
  }

  /**
   * With other credentials a bucket policy decides whether the destination's key may read the source, and between two regions the way of
   * the request: a VPC endpoint refuses it.
   */
  #mayStreamInstead(source: S3ObjectStore, error: unknown): boolean {
    const [from, to] = [source.#s3.connection, this.#s3.connection];
    if ((this.#options.copyMode ?? "auto") !== "auto" || !(error instanceof PipelineError)) return false;
    if (["StoreAccessDenied", "StoreFailed"].includes(error.name) && from.region !== to.region) return true;
    const refusals = ["StoreAccessDenied", "BucketNotFound", "ObjectNotFound", "StoreFailed"];
    return from.credentialsIdentity !== to.credentialsIdentity && refusals.includes(error.name);
  }

  /**
   * The checksum of what lies at the destination where it is a copy of this very object (by its ETag, or by what the copy noted about
   * its source); undefined where it is not.
   */
  async #held(existing: ObjectSummary, object: ObjectSummary): Promise<string | undefined> {
    if (existing.size !== object.size) return undefined;
    if (existing.etag === object.etag && looksLikeMd5(existing.etag)) return `md5:${existing.etag}`;
    const found = await headObject(this.#s3, existing.key);
    if (found?.ContentLength !== object.size || unquote(found.ETag) !== existing.etag) return undefined;
    if (existing.etag !== object.etag && found.Metadata?.[sourceEtagMetadata] !== object.etag) return undefined;
    // gone while it was read: it is copied again
    return ifPresent(() => checksumOf(this.#s3, existing, found));
  }

  async #deleteGroup(keys: readonly string[], stillMay: () => void): Promise<void> {
    const [only] = keys;
    const { client } = this.#s3;
    if (keys.length === 1 && only !== undefined) {
      const request = new DeleteObjectCommand({ Bucket: this.bucket, Key: only });
      request.middlewareStack.add(
        (next) => async (sent) => {
          stillMay();
          return next(sent);
        },
        behindRetries,
      );
      await this.#s3.request("s3:DeleteObject", only, () => client.send(request));
      return;
    }
    const Objects = keys.map((Key) => ({ Key }));
    const request = { Bucket: this.bucket, Delete: { Objects, Quiet: true } };
    const answer = await this.#s3.request("s3:DeleteObject", {}, () => {
      const command = new DeleteObjectsCommand(request);
      command.middlewareStack.add(
        (next) => async (sent) => {
          stillMay();
          return next(sent);
        },
        behindRetries,
      );
      return client.send(command);
    });
    const [refused] = answer.Errors ?? [];
    if (refused !== undefined) {
      const error = Object.assign(new Error(refused.Message ?? "not deleted"), { name: refused.Code ?? "StoreFailed" });
      throw this.#s3.fault("s3:DeleteObject", { key: refused.Key }, error);
    }
  }
}

function summaryOf({ Key = "", Size = 0, ETag, StorageClass }: ListedObject): ObjectSummary {
  return { key: Key, size: Size, etag: unquote(ETag), ...(isArchiveClass(StorageClass) && { archived: true }) };
}

/** Where a check stands that is asked before each request of a command, the SDK's own retries included. */
const behindRetries = { name: "stillMay", step: "finalizeRequest", priority: "low" } as const;
