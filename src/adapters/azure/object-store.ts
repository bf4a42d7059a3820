import type { BlobItem } from "@azure/storage-blob";
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
import { knownMd5, matching, propertiesOf, readBlob, sourceEtagMetadata, summaryOf, unquote } from "./blobs.ts";
import { type AzureConnection, AzureContainer } from "./container.ts";
import { copyServerSide, hashByReading, seen, streamTarget } from "./copy.ts";
import { putBlob } from "./put-blob.ts";
import { AzureTextUpload } from "./text-upload.ts";

export interface AzureObjectStoreOptions {
  readonly copyMode?: CopyMode;
  /** Where this store is used: access is checked below it. */
  readonly accessPrefix?: string;
  /** How long an outage is waited for once the store has answered; not at all where absent. */
  readonly patience?: Patience | undefined;
}

const keysPerPage = 5_000;
/** What Azure takes in one batch. */
const keysPerBatch = 256;
const parallelDeletes = 8;

/** A container of Azure Blob Storage. */
export class AzureObjectStore implements ObjectStore {
  readonly label: string;
  readonly bucket: string;
  readonly #container: AzureContainer;
  readonly #options: AzureObjectStoreOptions;

  constructor(connection: AzureConnection, container: string, options: AzureObjectStoreOptions = {}) {
    this.#container = new AzureContainer(connection, container, options.patience);
    this.bucket = container;
    this.label = `${container} at ${connection.address}`;
    this.#options = options;
  }

  async *list(prefix: string, { startAfter }: { startAfter?: string } = {}): AsyncIterable<ObjectSummary> {
    let continuationToken: string | undefined;
    do {
      const page = await this.#container.request("List", undefined, async () => {
        const pages = this.#container.client
          .listBlobsFlat({ prefix, includeMetadata: true })
          .byPage({ maxPageSize: keysPerPage, ...(continuationToken === undefined ? {} : { continuationToken }) });
        return (await pages.next()).value;
      });
      for (const item of page?.segment.blobItems ?? []) {
        const object = objectOf(item);
        // the service lists from the beginning of the prefix on, whatever is wanted of it
        if (object !== undefined && (startAfter === undefined || object.key > startAfter)) yield object;
      }
      continuationToken = page?.continuationToken || undefined;
    } while (continuationToken !== undefined);
  }

  async listDirectories(prefix: string): Promise<string[]> {
    return (await this.listChildren(prefix)).directories;
  }

  async listChildren(prefix: string): Promise<{ directories: string[]; objects: ObjectSummary[] }> {
    const directories: string[] = [];
    const objects: ObjectSummary[] = [];
    let continuationToken: string | undefined;
    do {
      const page = await this.#container.request("List", undefined, async () => {
        const pages = this.#container.client
          .listBlobsByHierarchy("/", { prefix, includeMetadata: true })
          .byPage({ maxPageSize: keysPerPage, ...(continuationToken === undefined ? {} : { continuationToken }) });
        return (await pages.next()).value;
      });
      for (const { name } of page?.segment.blobPrefixes ?? []) directories.push(name);
      for (const item of page?.segment.blobItems ?? []) {
        const object = objectOf(item);
        if (object !== undefined) objects.push(object);
      }
      continuationToken = page?.continuationToken || undefined;
    } while (continuationToken !== undefined);
    return { directories, objects };
  }

  async head(key: string): Promise<ObjectSummary | undefined> {
    const properties = await propertiesOf(this.#container, key);
    return properties && summaryOf(key, properties);
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
    const blob = this.#container.client.getBlobClient(key);
    // the client asks again for the rest of this very version where the connection breaks
    const conditions = ifMatch === undefined ? {} : matching(ifMatch);
    const answer = await this.#container.request("Read", key, () =>
      blob.download(0, undefined, { conditions, maxRetryRequests: 4 }),
    );
    // a byte order mark is kept, as where an object is read whole
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const stream = answer.readableStreamBody;
    if (stream === undefined) return;
    try {
      for await (const chunk of stream) {
        const text = decoder.decode(chunk as Buffer, { stream: true });
        if (text !== "") yield text;
      }
    } catch (error) {
      throw this.#container.fault("Read", key, error);
    } finally {
      // also where the reader of the text stops early: nothing else ends the request
      if ("destroy" in stream && typeof stream.destroy === "function") stream.destroy();
    }
    const last = decoder.decode();
    if (last !== "") yield last;
  }

  async getBytes(key: string): Promise<Uint8Array> {
    const object = await this.head(key);
    if (object !== undefined) return readBlob(this.#container, object);
    throw new PipelineError("ObjectNotFound", `${this.#container.labelOf(key)} does not exist`, { details: { key } });
  }

  async readRange(object: ObjectSummary, { offset, size }: ByteRange): Promise<Uint8Array> {
    return readBlob(this.#container, object, { offset, size: Math.max(0, Math.min(size, object.size - offset)) });
  }

  async putText(key: string, body: string, options: PutTextOptions = {}): Promise<boolean> {
    return putBlob(this.#container, key, Buffer.from(body, "utf-8"), options);
  }

  openText(key: string, options: Pick<PutTextOptions, "contentType"> = {}): TextUpload {
    return new AzureTextUpload(this.#container, key, options.contentType);
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
    const own = source instanceof AzureObjectStore && source.#identity === this.#identity ? source : undefined;
    if (mode === "server-side" && own === undefined) throw onlyWithinOneStore(source, this);
    const copied =
      own !== undefined && mode !== "streamed"
        ? await copyServerSide(own.#container, object, this.#container, key)
        : undefined;
    if (mode === "server-side" && copied === undefined) {
      const reason = `${this.label} knows no copies from a URL: set copyMode to auto or streamed`;
      throw new PipelineError("StoreFailed", reason, { details: { key: "minio.copyMode" } });
    }
    return copied ?? copyStreamed(copySource(source, object), object, streamTarget(this.#container, key, object));
  }

  async hasContent(object: ObjectSummary, checksum: string, { read }: { read: boolean }): Promise<boolean | undefined> {
    const properties = await seen(this.#container, object);
    const algorithm = kindOfChecksum(checksum);
    const known = algorithm === "md5" ? knownMd5(properties) : undefined;
    if (known !== undefined) return known === checksum;
    if (!read) return undefined;
    const hashed = await hashByReading(this.#container, object, algorithm);
    return hashed === undefined ? undefined : `${algorithm}:${hashed}` === checksum;
  }

  async deletePrefix(prefix: string): Promise<number> {
    const keys: string[] = [];
    for await (const { key } of this.list(prefix)) keys.push(key);
    await this.deleteKeys(keys);
    return keys.length;
  }

  async deleteKeys(keys: readonly string[], { stillMay = () => {} }: { stillMay?: () => void } = {}): Promise<void> {
    const groups = Array.from({ length: Math.ceil(keys.length / keysPerBatch) }, (_, index) =>
      keys.slice(index * keysPerBatch, (index + 1) * keysPerBatch),
    );
    await settleEach(groups, parallelDeletes, (group) => this.#deleteGroup(group, stillMay));
  }

  async checkAccess(prefix: string = this.#options.accessPrefix ?? ""): Promise<void> {
    await this.#container.request("List", undefined, async () => {
      await this.#container.client.listBlobsFlat({ prefix }).byPage({ maxPageSize: 1 }).next();
    });
  }

  get #identity(): string {
    return this.#container.connection.endpointIdentity;
  }

  async #deleteGroup(keys: readonly string[], stillMay: () => void): Promise<void> {
    const { client } = this.#container;
    const [only] = keys;
    if (keys.length === 1 && only !== undefined) {
      await this.#container.request("Delete", only, async () => {
        stillMay();
        await client.getBlobClient(only).deleteIfExists({ deleteSnapshots: "include" });
      });
      return;
    }
    await this.#container.request("Delete", undefined, async () => {
      stillMay();
      const blobs = keys.map((key) => client.getBlobClient(key));
      const answer = await client.getBlobBatchClient().deleteBlobs(blobs, { deleteSnapshots: "include" });
      const refused = answer.subResponses.find(({ status }) => status >= 300 && status !== 404);
      if (refused === undefined) return;
      const { status, statusMessage, errorCode } = refused;
      throw Object.assign(new Error(statusMessage), { statusCode: status, code: errorCode });
    });
  }

  /** The checksum of what lies at the destination where it is a copy of this very object; undefined where it is not. */
  async #held(existing: ObjectSummary, object: ObjectSummary, source: ObjectStore): Promise<string | undefined> {
    if (existing.size !== object.size) return undefined;
    const properties = await propertiesOf(this.#container, existing.key);
    if (properties === undefined || unquote(properties.etag) !== existing.etag) return undefined;
    const known = knownMd5(properties);
    const isNoted = properties.metadata?.[sourceEtagMetadata] === object.etag;
    // an object of another store by its content, where that store tells it
    const isSame = isNoted || (known !== undefined && (await sameContent(source, object, known)));
    if (!isSame) return undefined;
    return known ?? `md5:${await hashByReading(this.#container, existing, "md5")}`;
  }
}

/** undefined for a directory of an account with hierarchical namespaces, which is listed like a blob. */
function objectOf({ name, properties, metadata }: BlobItem): ObjectSummary | undefined {
  if (metadata?.hdi_isfolder === "true") return undefined;
  return { key: name, size: properties.contentLength ?? 0, etag: unquote(properties.etag) };
}
