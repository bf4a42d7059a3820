import type { CopySegment } from "../../core/execution/copy-plan.ts";
import { type ManifestIndex, type ManifestObject, manifestPartObjects } from "../../core/format/manifest.ts";
import type { SizedSegment } from "../../core/plan/segment-copies.ts";
import type { StoredBackup } from "./stored-backup.ts";

/**
 * Adds what the manifest of a backup says of each log to what its metas say: two objects of one size can then be told apart. A log that
 * the manifest does not list is left as it is.
 * @param segments in the order of the metas
 * @throws CorruptBackup where a part of the manifest is missing, or is not what its index says
 */
export async function* expectManifest<T extends SizedSegment>(
  stored: StoredBackup,
  index: ManifestIndex,
  segments: AsyncIterable<T>,
): AsyncGenerator<T> {
  const listed = new ListedLogs(stored, index);
  for await (const sized of segments) {
    await listed.turnTo(sized.segment);
    for (const { from, expect = [] } of sized.segment.prefixes) {
      for (const log of expect) {
        const object = await listed.find(from + log.path);
        if (object === undefined) continue;
        log.etag = object.etag;
        if (object.checksum !== undefined) log.checksum = object.checksum;
      }
    }
    yield sized;
  }
  await listed.end();
}

/** So many are read in search of a log that should be near, a few parts; 600 bytes each. */
const mostAhead = 4 * manifestPartObjects;

/**
 * The manifest as its segments pass by. It lists them in the order of the metas, as both were written side by side: of a collection of
 * millions of objects only those are held that were read and not asked for yet.
 */
class ListedLogs {
  readonly #stored: StoredBackup;
  readonly #index: ManifestIndex;
  #collectionId: string | undefined;
  #segmentId: string | undefined;
  /** Of the collection whose segments come now. */
  #unread: AsyncIterator<ManifestObject> | undefined;
  readonly #ahead = new Map<string, ManifestObject>();
  /** Of the segment that comes now: it may come once for each of its copies. */
  readonly #current = new Map<string, ManifestObject>();

  constructor(stored: StoredBackup, index: ManifestIndex) {
    this.#stored = stored;
    this.#index = index;
  }

  async turnTo({ collectionId, segmentId }: CopySegment): Promise<void> {
    if (collectionId !== this.#collectionId) {
      await this.end();
      this.#ahead.clear();
      this.#unread = this.#objectsOf(collectionId);
    } else if (segmentId === this.#segmentId) {
      return;
    }
    this.#current.clear();
    this.#collectionId = collectionId;
    this.#segmentId = segmentId;
  }

  /** Reads what is left of the collection: whether it is what the index says is known at its end. */
  async end(): Promise<void> {
    while (this.#unread !== undefined && !(await this.#unread.next()).done);
  }

  async find(key: string): Promise<ManifestObject | undefined> {
    const known = this.#current.get(key) ?? this.#ahead.get(key) ?? (await this.#readTo(key));
    if (known === undefined) return undefined;
    this.#ahead.delete(key);
    this.#current.set(key, known);
    return known;
  }

  async #readTo(key: string): Promise<ManifestObject | undefined> {
    const { layout } = this.#stored;
    while (this.#ahead.size < mostAhead) {
      const next = await this.#unread?.next();
      if (next === undefined || next.done) return undefined;
      const listed = layout.absolute(next.value.key);
      if (listed === key) return next.value;
      this.#ahead.set(listed, next.value);
    }
    return undefined;
  }

  async *#objectsOf(collectionId: string): AsyncGenerator<ManifestObject> {
    for (const part of this.#index.parts) {
      if (part.collectionId === collectionId) yield* this.#stored.manifestObjects(part);
    }
  }
}
