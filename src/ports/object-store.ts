/** One bucket of one object store, as a step sees it. Keys never start with a slash. */
export interface ObjectStore {
  /** What identifies the store and bucket in messages: `bucket-a at 127.0.0.1:9000`. Holds no secret. */
  readonly label: string;
  readonly bucket: string;

  /**
   * Every object below a prefix, in key order. Obligation: pages are fetched as they are consumed.
   * @param options.startAfter leaves out the keys up to and including this one
   */
  list(prefix: string, options?: { startAfter?: string }): AsyncIterable<ObjectSummary>;

  /** The "directories" right below a prefix (which ends in `/`): full keys that end in `/`. */
  listDirectories(prefix: string): Promise<string[]>;

  /** What lies right below a prefix (which ends in `/`, or is empty): its directories, as above, and its objects. */
  listChildren(prefix: string): Promise<{ directories: string[]; objects: ObjectSummary[] }>;

  /** undefined where the object does not exist. */
  head(key: string): Promise<ObjectSummary | undefined>;

  /** The whole object as text; throws ObjectNotFound. For small objects (metas, plans, receipts). */
  getText(key: string): Promise<string>;

  /** The same; undefined where the object does not exist. */
  getTextIfPresent(key: string): Promise<string | undefined>;

  /**
   * The text of an object as it comes, for large ones: pieces that end between two characters. It is one version of the object from
   * its first piece to its last, also where a connection broke in between.
   * @param options.ifMatch ETag without quotes: reads this version or none
   * @throws ObjectNotFound where the object does not exist, or was replaced by another one
   */
  readText(key: string, options?: { ifMatch?: string }): AsyncIterable<string>;

  /**
   * Writes a small object. Answers false and writes nothing where the key exists already (with `ifAbsent`), or where it does
   * not hold the version with this ETag any more (with `ifMatch`).
   */
  putText(key: string, body: string, options?: PutTextOptions): Promise<boolean>;

  /**
   * Copies one object from `source` to `key` here and checks what arrived (size, and content where the store can tell).
   * Server-side where source and destination are in one object store (CopyObject, UploadPartCopy for large ones); otherwise
   * streamed with bounded memory. Skips the copy where the destination already holds this very object.
   * Throws ObjectNotFound where the source vanished or was replaced, CopyMismatch where what arrived differs.
   */
  copyFrom(source: ObjectStore, object: ObjectSummary, key: string, options?: CopyOptions): Promise<CopiedObject>;

  /** Deletes what lies below a prefix; answers how many objects that were. */
  deletePrefix(prefix: string): Promise<number>;

  /** Deletes single keys; a key that is not there is no error. */
  deleteKeys(keys: readonly string[]): Promise<void>;

  /**
   * Throws BucketNotFound, StoreUnreachable or StoreAccessDenied, each with what to do; returns where all is well.
   * @param prefix below what to look: the store's root path unless said otherwise, since a policy may grant no more
   */
  checkAccess(prefix?: string): Promise<void>;
}

export interface PutTextOptions {
  readonly ifAbsent?: boolean;
  /** ETag without quotes. */
  readonly ifMatch?: string;
  readonly contentType?: string;
}

export interface CopyOptions {
  /** false: CopyMismatch where something else than this very object lies at the destination; by default it is overwritten. */
  readonly overwrite?: boolean;
  /** What a listing showed at the destination key, null for nothing: saves the request that would look there. */
  readonly existing?: ObjectSummary | null;
}

export interface ObjectSummary {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Without quotes; the MD5 of the content for objects written in one part without KMS. */
  readonly etag: string;
}

export interface CopiedObject {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** The destination's ETag, without quotes. */
  readonly etag: string;
  /** `<algorithm>:<value>` of the content where the store reported or the stream computed one: `md5:9e107d...`, `crc64nvme:...`. */
  readonly checksum?: string;
  /** true where the destination held the object already. */
  readonly skipped: boolean;
}
