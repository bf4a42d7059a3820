import type { BlobItem } from "@azure/storage-blob";
import { settleEach } from "../../core/execution/settle.ts";
import type { ByteRange, CopiedObject, ObjectSummary, PutTextOptions, TextUpload } from "../../ports/object-store.ts";
import type { StreamTarget } from "../streams/streamed-copy.ts";
import { type KnownContent, StreamingStore, type StreamingStoreOptions } from "../streams/streaming-store.ts";
import { knownMd5, matching, propertiesOf, readBlob, sourceEtagMetadata, summaryOf, unquote } from "./blobs.ts";
import { type AzureConnection, AzureContainer } from "./container.ts";
import { copyServerSide, seen, streamTarget } from "./copy.ts";
import { putBlob } from "./put-blob.ts";
import { AzureTextUpload } from "./text-upload.ts";

const keysPerPage = 5_000;
/** What Azure takes in one batch. */
const keysPerBatch = 256;
const parallelDeletes = 8;

/** A container of Azure Blob Storage. */
export class AzureObjectStore extends StreamingStore {
  readonly label: string;
  readonly bucket: string;
  readonly #container: AzureContainer;

  constructor(connection: AzureConnection, container: string, options: StreamingStoreOptions = {}) {
    super(options);
    this.#container = new AzureContainer(connection, container, options);
    this.bucket = container;
    this.label = `${container} at ${connection.address}`;
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

  async readRange(object: ObjectSummary, { offset, size }: ByteRange): Promise<Uint8Array> {
    return readBlob(this.#container, object, { offset, size: Math.max(0, Math.min(size, object.size - offset)) });
  }

  async putText(key: string, body: string, options: PutTextOptions = {}): Promise<boolean> {
    return putBlob(this.#container, key, Buffer.from(body, "utf-8"), options);
  }

  openText(key: string, options: Pick<PutTextOptions, "contentType"> = {}): TextUpload {
    return new AzureTextUpload(this.#container, key, options.contentType);
  }

  async deleteKeys(keys: readonly string[], { stillMay = () => {} }: { stillMay?: () => void } = {}): Promise<void> {
    const groups = Array.from({ length: Math.ceil(keys.length / keysPerBatch) }, (_, index) =>
      keys.slice(index * keysPerBatch, (index + 1) * keysPerBatch),
    );
    await settleEach(groups, parallelDeletes, (group) => this.#deleteGroup(group, stillMay));
  }

  async checkAccess(prefix: string = this.options.accessPrefix ?? ""): Promise<void> {
    await this.#container.request("List", undefined, async () => {
      await this.#container.client.listBlobsFlat({ prefix }).byPage({ maxPageSize: 1 }).next();
    });
  }

  protected get identity(): string {
    return this.#container.connection.endpointIdentity;
  }

  protected async knownContent(object: ObjectSummary): Promise<KnownContent> {
    const properties = await seen(this.#container, object);
    const md5 = knownMd5(properties);
    return { checksums: md5 === undefined ? [] : [md5], sourceEtag: properties.metadata?.[sourceEtagMetadata] };
  }

  protected streamTarget(key: string, object: ObjectSummary): StreamTarget {
    return streamTarget(this.#container, key, object);
  }

  protected copyWithin(source: this, object: ObjectSummary, key: string): Promise<CopiedObject | undefined> {
    return copyServerSide(source.#container, object, this.#container, key, (copy) => this.hashByReading(copy, "md5"));
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
}

/** undefined for a directory of an account with hierarchical namespaces, which is listed like a blob. */
function objectOf({ name, properties, metadata }: BlobItem): ObjectSummary | undefined {
  if (metadata?.hdi_isfolder === "true") return undefined;
  return { key: name, size: properties.contentLength ?? 0, etag: unquote(properties.etag) };
}
