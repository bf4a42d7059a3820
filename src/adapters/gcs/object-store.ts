import type { FileMetadata } from "@google-cloud/storage";
import { PipelineError } from "../../core/execution/errors.ts";
import { settleEach } from "../../core/execution/settle.ts";
import type { ByteRange, CopiedObject, ObjectSummary, PutTextOptions, TextUpload } from "../../ports/object-store.ts";
import type { StreamTarget } from "../streams/streamed-copy.ts";
import { type KnownContent, StreamingStore, type StreamingStoreOptions } from "../streams/streaming-store.ts";
import { GcsBucket, type GcsConnection } from "./bucket.ts";
import { copyServerSide, streamTarget } from "./copy.ts";
import { gcsStatus } from "./errors.ts";
import { knownChecksums, metadataOf, readObject, seen, sourceEtagMetadata, summaryOf } from "./objects.ts";
import { GcsTextUpload } from "./text-upload.ts";
import { putText } from "./uploads.ts";

const keysPerPage = 1_000;
const parallelDeletes = 16;
/** What is asked for at once of a text that is read as it comes. */
const textPiece = 4 * 2 ** 20;

/** A bucket of Google Cloud Storage, by its own interface. */
export class GcsObjectStore extends StreamingStore {
  readonly label: string;
  readonly bucket: string;
  readonly #bucket: GcsBucket;

  constructor(connection: GcsConnection, bucket: string, options: StreamingStoreOptions = {}) {
    super(options);
    this.#bucket = new GcsBucket(connection, bucket, options);
    this.bucket = bucket;
    this.label = `${bucket} at ${connection.address}`;
  }

  async *list(prefix: string, { startAfter }: { startAfter?: string } = {}): AsyncIterable<ObjectSummary> {
    // startOffset is inclusive
    const query = { prefix, ...(startAfter === undefined ? {} : { startOffset: startAfter }) };
    for await (const { files } of this.#pages(query)) {
      for (const object of files) if (object.key !== startAfter) yield object;
    }
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

  async *readText(key: string, { ifMatch }: { ifMatch?: string } = {}): AsyncIterable<string> {
    const object = await this.present(key);
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

  async readRange(object: ObjectSummary, { offset, size }: ByteRange): Promise<Uint8Array> {
    return readObject(this.#bucket, object, { offset, size: Math.max(0, Math.min(size, object.size - offset)) });
  }

  async putText(key: string, body: string, options: PutTextOptions = {}): Promise<boolean> {
    return putText(this.#bucket, key, Buffer.from(body, "utf-8"), options);
  }

  openText(key: string, options: Pick<PutTextOptions, "contentType"> = {}): TextUpload {
    return new GcsTextUpload(this.#bucket, key, options.contentType);
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

  async checkAccess(prefix: string = this.options.accessPrefix ?? ""): Promise<void> {
    await this.#bucket.request("storage.objects.list", undefined, () =>
      this.#bucket.client.getFiles({ prefix, maxResults: 1, autoPaginate: false }),
    );
  }

  protected get identity(): string {
    return this.#bucket.connection.endpointIdentity;
  }

  protected async knownContent(object: ObjectSummary): Promise<KnownContent> {
    const metadata = await seen(this.#bucket, object);
    const sourceEtag = metadata.metadata?.[sourceEtagMetadata];
    return { checksums: knownChecksums(metadata), sourceEtag: typeof sourceEtag === "string" ? sourceEtag : undefined };
  }

  protected streamTarget(key: string, object: ObjectSummary): StreamTarget {
    return streamTarget(this.#bucket, key, object);
  }

  protected copyWithin(source: this, object: ObjectSummary, key: string): Promise<CopiedObject> {
    return copyServerSide(source.#bucket, object, this.#bucket, key, (copy) => this.hashByReading(copy, "md5"));
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
}
