import { createHash } from "node:crypto";
import { PipelineError } from "../../core/execution/errors.ts";
import type { MetaFileName } from "../../core/format/layout.ts";
import { manifestFileOf } from "../../core/format/manifest.ts";
import type { BackupInfo } from "../../core/format/meta.ts";
import type { Parsed } from "../../core/format/meta-codec.ts";
import { missingMetas, type OutlineTexts, streamLevelFiles, withSizes } from "../../core/format/meta-files.ts";
import { type StreamedSegment, streamFullMeta } from "../../core/format/meta-stream.ts";
import { type BackupOutline, readOutline } from "../../core/format/outline.ts";
import type { ObjectStore, ObjectSummary } from "../../ports/object-store.ts";

/** A backup as its metas tell it, without the logs of its segments. */
export interface FoundOutline {
  readonly backup: BackupOutline;
  /** false: `full_meta.json` is missing, and what is shown was put together from the level files. */
  readonly complete: boolean;
  readonly warnings: readonly string[];
}

/** Which metas of a backup are read: the version that a look found, every time. */
export interface MetaVersion {
  /** `full_meta.json`, or without it `segment_meta.json`: the one that holds the segments. */
  readonly large: ObjectSummary;
  /** The other level files, where there is no `full_meta.json`. */
  readonly level?: OutlineTexts;
}

/** Those of some hundred segments. */
const keptCharacters = 2 ** 20;

/**
 * The metas of one backup, read as they come and as often as a plan needs them: they may be larger than a function's memory. Every
 * reading is of the same version, or an error.
 */
export class StreamedMetas {
  readonly #store: ObjectStore;
  readonly #place: string;
  readonly #version: MetaVersion;
  #sha256: string | undefined;
  #keeps = false;
  /** What was read, where it is kept. */
  #kept: readonly string[] | undefined;

  /** @param place the backup and where it lies, for messages */
  constructor(store: ObjectStore, place: string, version: MetaVersion) {
    this.#store = store;
    this.#place = place;
    this.#version = version;
  }

  /** Hex, of the text that was read to its end: of `full_meta.json`, where the backup has one. */
  get sha256(): string {
    if (this.#sha256 === undefined) throw new Error("the metas have not been read yet");
    return this.#sha256;
  }

  /** The same of every file that was read, by its name. */
  get sha256s(): Partial<Record<MetaFileName, string>> {
    const { level } = this.#version;
    if (level === undefined) return { full_meta: this.sha256 };
    const levels = Object.entries(level).map(([name, text]) => [name, manifestFileOf(name, text).sha256]);
    return { segment_meta: this.sha256, ...Object.fromEntries(levels) };
  }

  /** Of the file that holds the segments, in bytes. */
  get size(): number {
    return this.#version.large.size;
  }

  /**
   * Every segment, in the same order each time; then the backup with empty lists of segments.
   * @throws CorruptBackup, CopyMismatch where the metas are not those of the first time any more, and what the store throws
   */
  async *segments(): AsyncGenerator<StreamedSegment, Parsed<BackupInfo>, undefined> {
    const { level } = this.#version;
    const text = this.#text();
    try {
      return yield* level ? streamLevelFiles(level, text) : streamFullMeta(text);
    } catch (error) {
      throw namingBackup(this.#place, error);
    }
  }

  /** The backup without the logs of its segments; throws as `segments` does. */
  async outline(): Promise<FoundOutline> {
    const { value, warnings } = await readOutline(this.segments());
    const complete = this.#version.level === undefined;
    return { backup: complete ? value : withSizes(value), complete, warnings };
  }

  async *#text(): AsyncGenerator<string> {
    if (this.#kept) return yield* this.#kept;
    const hash = createHash("sha256");
    const { key, etag } = this.#version.large;
    let kept: string[] | undefined = this.#keeps ? [] : undefined;
    let length = 0;
    try {
      for await (const piece of this.#store.readText(key, { ifMatch: etag })) {
        hash.update(piece);
        length += piece.length;
        if (length > keptCharacters) kept = undefined;
        kept?.push(piece);
        yield piece;
      }
    } catch (error) {
      throw error instanceof PipelineError && error.name === "ObjectNotFound" ? this.#changed(error) : error;
    }
    const sha256 = hash.digest("hex");
    this.#sha256 ??= sha256;
    if (sha256 !== this.#sha256) throw this.#changed();
    this.#kept = kept;
  }

  /**
   * From its first reading on, what is small is not asked for again. Who reads on then does not see that it was replaced meanwhile (`checkStillThose`).
   */
  keepSmall(): this {
    this.#keeps = this.#version.level === undefined;
    return this;
  }

  /**
   * Whether the metas are still those that are read.
   * @param seen what lies there now, of a backup that is complete
   * @throws CopyMismatch where somebody replaced them
   */
  checkStillThose(seen: ObjectSummary): void {
    if (seen.etag !== this.#version.large.etag) throw this.#changed();
  }

  #changed(cause?: unknown): PipelineError {
    const { key } = this.#version.large;
    return new PipelineError(
      "CopyMismatch",
      `${this.#place} was replaced or deleted while it was read (${key}); start again once it is complete`,
      { details: { key }, cause },
    );
  }
}

/**
 * What was thrown where metas cannot be understood, with the backup they are of: who parses them knows the file only.
 * @param place the backup and where it lies
 */
export function namingBackup(place: string, error: unknown): unknown {
  if (!(error instanceof PipelineError) || error.name !== "CorruptBackup") return error;
  return error.retold(`${place}: ${error.message}`);
}

/** Finds which metas there are to read; undefined where there are none. */
export async function findMetas(
  store: ObjectStore,
  keys: Readonly<Record<"full_meta" | "segment_meta" | keyof OutlineTexts, string>>,
): Promise<MetaVersion | undefined> {
  const large = await store.head(keys.full_meta);
  if (large !== undefined) return { large };
  const [segments, backup_meta, collection_meta, partition_meta] = await Promise.all([
    store.head(keys.segment_meta),
    store.getTextIfPresent(keys.backup_meta),
    store.getTextIfPresent(keys.collection_meta),
    store.getTextIfPresent(keys.partition_meta),
  ]);
  if (segments && backup_meta !== undefined && collection_meta !== undefined && partition_meta !== undefined) {
    return { large: segments, level: { backup_meta, collection_meta, partition_meta } };
  }
  const found = { full_meta: large, segment_meta: segments, backup_meta, collection_meta, partition_meta };
  const names = ["backup_meta", "collection_meta", "partition_meta", "segment_meta", "full_meta"] as const;
  const missing = names.filter((name) => found[name] === undefined);
  if (missing.length === names.length) return undefined;
  throw missingMetas(missing);
}
