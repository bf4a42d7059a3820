import type { BucketLock, ObjectLock } from "../core/execution/object-lock.ts";
import type { StorageClass } from "../core/execution/storage-class.ts";
import type { StoreProbe } from "./store-probe.ts";

/** One bucket of one object store, as a step sees it. Keys never start with a slash. */
export interface ObjectStore {
  /** What identifies the store and bucket in messages: `bucket-a at 127.0.0.1:9000`. Holds no secret. */
  readonly label: string;
  readonly bucket: string;
  /** For a check; absent where the store has nothing that is not asked of every one. */
  readonly probe?: StoreProbe;

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

  /** The same with which version of the object it is: of one that is replaced again and again (a claim). One request, where the store has one for it. */
  getVersionIfPresent(key: string): Promise<TextVersion | undefined>;

  /**
   * The text of an object as it comes, for large ones: pieces that end between two characters. It is one version of the object from
   * its first piece to its last, also where a connection broke in between.
   * @param options.ifMatch ETag without quotes: reads this version or none
   * @throws ObjectNotFound where the object does not exist, or was replaced by another one
   */
  readText(key: string, options?: { ifMatch?: string }): AsyncIterable<string>;

  /**
   * The whole object, all of one version: for objects that fit into memory.
   * @throws ObjectNotFound where it is not there
   */
  getBytes(key: string): Promise<Uint8Array>;

  /**
   * Bytes of an object as it was listed: `size` of them, or fewer where it ends before.
   * @throws ObjectNotFound where it is gone, or was replaced
   */
  readRange(object: ObjectSummary, range: ByteRange): Promise<Uint8Array>;

  /**
   * Writes a small object. Answers false and writes nothing where the key exists already (with `ifAbsent`), or where it does
   * not hold the version with this ETag any more (with `ifMatch`).
   */
  putText(key: string, body: string, options?: PutTextOptions): Promise<boolean>;

  /**
   * Begins a text that may be too large for memory: what is written goes out in parts as it comes. The object appears whole when it
   * is finished, or not at all. What a killed process left of an upload to the same key is removed. It may be no text at all (bytes).
   */
  openText(key: string, options?: Pick<PutTextOptions, "contentType" | "lock">): TextUpload;

  /**
   * Copies one object from `source` to `key` here and checks what arrived (size, and content where the store can tell). Server-side where
   * source and destination are in one object store (CopyObject, UploadPartCopy for large ones); otherwise, also from a store of another
   * kind, streamed with bounded memory.
   * Skips the copy where the destination already holds this very object.
   * @throws ObjectNotFound where the source vanished or was replaced, CopyMismatch where what arrived differs
   */
  copyFrom(source: ObjectStore, object: ObjectSummary, key: string, options?: CopyOptions): Promise<CopiedObject>;

  /**
   * Whether the content of an object is what a checksum says; undefined where the store keeps nothing that compares with it. One request,
   * and only with `read` the object itself where that request does not tell: as a stream, with bounded memory.
   * @param checksum as `CopiedObject.checksum`
   * @throws ObjectNotFound where the object vanished, or is not the one that was listed any more
   */
  hasContent(object: ObjectSummary, checksum: string, options: { read: boolean }): Promise<boolean | undefined>;

  /**
   * The checksum of an object by reading it, whatever the store says of it: as a stream, with bounded memory.
   * @param kind `md5`, `crc64nvme` ...: the part of a checksum before its colon
   * @returns `<kind>:<value>`; undefined for a kind that nobody can compute here
   * @throws ObjectNotFound where the object vanished, or is not the one that was listed any more
   */
  readChecksum(object: ObjectSummary, kind: string): Promise<string | undefined>;

  /**
   * Whether the bucket can lock objects.
   * @throws StoreAccessDenied where that cannot be asked
   */
  bucketLock(): Promise<BucketLock>;

  /**
   * How an object is locked; undefined where it is not, also in a bucket that cannot lock any. Also what is over is told.
   * @throws ObjectNotFound, StoreAccessDenied where that cannot be asked
   */
  lockOf(key: string): Promise<ObjectLock | undefined>;

  /**
   * Locks an object that is there, at the least so. What it has is never made shorter or weaker, and left alone where it does.
   * @throws ObjectNotFound, BackupLocked where it is locked in governance mode and may not be made stronger
   */
  extendLock(key: string, lock: ObjectLock): Promise<void>;

  /**
   * Whether an object has to be restored out of an archive before it can be read; one request.
   * @throws ObjectArchived where it has, with what to do
   */
  checkReadable(object: ObjectSummary): Promise<void>;

  /**
   * Deletes what lies below a prefix; answers how many objects that were. In a bucket with versions, as with `deleteKeys`, a locked object
   * stays as an earlier version, and is hidden all the same: the store refuses nothing.
   */
  deletePrefix(prefix: string): Promise<number>;

  /**
   * Deletes single keys; a key that is not there is no error.
   * @param options.stillMay asked right before every request, and before one that is sent again: throws where it must not be sent any more
   */
  deleteKeys(keys: readonly string[], options?: { readonly stillMay?: () => void }): Promise<void>;

  /**
   * @param prefix below what to look: the store's root path unless said otherwise, since a policy may grant no more
   * @throws BucketNotFound, StoreUnreachable or StoreAccessDenied, each with what to do; returns where all is well
   */
  checkAccess(prefix?: string): Promise<void>;
}

export interface TextVersion {
  readonly text: string;
  /** Without quotes. */
  readonly etag: string;
}

export interface ByteRange {
  readonly offset: number;
  readonly size: number;
}

export interface PutTextOptions {
  readonly ifAbsent?: boolean;
  /** ETag without quotes. */
  readonly ifMatch?: string;
  readonly contentType?: string;
  /** Locks what is written. */
  readonly lock?: ObjectLock | undefined;
}

/** A text on its way into a store. Every one is finished or aborted, or parts stay behind that are hidden and paid for. */
export interface TextUpload {
  /** What was written so far. */
  readonly written: TextDigest;

  /**
   * Resolves when there is room for more: one call at a time.
   * @param text whole characters, or bytes, which are not to change before the end
   */
  write(text: string | Uint8Array): Promise<void>;

  /**
   * Makes the object appear: with a large one this completes the upload and sends nothing else. Answers false and leaves the store as it
   * was where the key exists already (with `ifAbsent`); a store without conditional writes is asked right before.
   * @throws StoreBusy where somebody else ended the upload (another run of the same step): it is to be written again
   */
  finish(options?: Pick<PutTextOptions, "ifAbsent">): Promise<boolean>;

  /** Gives up: nothing is left of it. Never fails, and does nothing where it is over already. */
  abort(): Promise<void>;
}

/** What tells a text from another one. */
export interface TextDigest {
  /** Bytes of UTF-8. */
  readonly size: number;
  /** Hex. */
  readonly sha256: string;
}

export interface CopyOptions {
  /** false: CopyMismatch where something else than this very object lies at the destination; by default it is overwritten. */
  readonly overwrite?: boolean;
  /** What a listing showed at the destination key, null for nothing: saves the request that would look there. */
  readonly existing?: ObjectSummary | null;
  /** What lies at the destination in the end is locked at the least so, also where it was there already (`extendLock`). */
  readonly lock?: ObjectLock | undefined;
  /** Of what is copied; what is there already keeps its own. */
  readonly storageClass?: StorageClass | undefined;
}

export interface ObjectSummary {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Without quotes; the MD5 of the content for objects written in one part without KMS. */
  readonly etag: string;
  /** Of a listing: it is in a class of archives, and to be read may have to be restored first (`checkReadable`). */
  readonly archived?: true;
}

export interface CopiedObject {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** The destination's ETag, without quotes. */
  readonly etag: string;
  /**
   * `<algorithm>:<value>` of the content: `md5:9e107d...`, `crc64nvme:...`. The MD5 where the ETag is one or the bytes came through
   * here, otherwise what the store reports of the whole; where it reports nothing, the object is read again and its MD5 computed.
   */
  readonly checksum: string;
  /** true where the destination held the object already. */
  readonly skipped: boolean;
}
