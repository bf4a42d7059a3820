import { createHash } from "node:crypto";
import * as z from "zod";
import { PipelineError } from "../../core/execution/errors.ts";
import { settleAll } from "../../core/execution/settle.ts";
import { type BackupLayout, backupLayout, backupsRoot, type MetaFileName } from "../../core/format/layout.ts";
import { type ManifestIndex, parseManifestIndex } from "../../core/format/manifest.ts";
import { type BackupInfo, backupInfo, type CollectionWith, collectionLevelInfo } from "../../core/format/meta.ts";
import { parseFile } from "../../core/format/meta-codec.ts";
import { readBackupMeta } from "../../core/format/meta-files.ts";
import { type Instant, instant } from "../../core/milvus/instant.ts";
import type { ObjectStore, ObjectSummary, TextDigest, TextUpload } from "../../ports/object-store.ts";
import { findMetas, type MetaVersion, StreamedMetas } from "./streamed-metas.ts";

/** A backup as its metas tell it. */
export interface FoundBackup {
  readonly backup: BackupInfo;
  /** false: `full_meta.json` is missing, and what is shown was put together from the level files. */
  readonly complete: boolean;
  readonly warnings: readonly string[];
}

/** The instant of every collection that was cut, by its ID. */
export type Instants = ReadonlyMap<string, Instant>;

/** What a list shows of a backup: its collections without their segments. */
export type BriefBackup = Pick<BackupInfo, "id" | "size" | "milvus_version"> & {
  readonly collection_backups: readonly CollectionWith<unknown>[];
};

const levelFileNames = ["backup_meta", "collection_meta", "partition_meta", "segment_meta"] as const;

/**
 * One backup in one store, written, half written or not there at all: the one place that reads its metas, writes its commit record
 * (`full_meta.json`) and removes what lies under its root.
 */
export class StoredBackup {
  readonly store: ObjectStore;
  readonly name: string;
  readonly layout: BackupLayout;

  /** @param place where the backups of an environment lie: its `backupStorage` */
  constructor(store: ObjectStore, place: { readonly rootPath: string }, name: string) {
    this.store = store;
    this.name = name;
    this.layout = backupLayout(place.rootPath, name);
  }

  /** For messages: `bucket-b at 127.0.0.1:9000 under backup/my_backup/`. */
  get place(): string {
    return `${this.store.label} under ${this.layout.root}`;
  }

  /** What identifies the backup among executions: where it lies, not which environment names it. */
  get leaseSubject(): string {
    return `${this.store.label} ${this.layout.root}`;
  }

  /** What a listing says of the commit record; undefined for a backup that is not complete. */
  async committed(): Promise<ObjectSummary | undefined> {
    return this.store.head(this.layout.meta.full_meta);
  }

  /** The text of the commit record; undefined for a backup that is not complete. */
  async commitRecord(): Promise<string | undefined> {
    return this.store.getTextIfPresent(this.layout.meta.full_meta);
  }

  /** Whether anything lies below the backup's root. */
  async hasLeftovers(): Promise<boolean> {
    return (await this.store.listDirectories(this.layout.root)).length > 0;
  }

  /** A root path may be shared with other things: only a directory with metas or binlogs is what a backup left. */
  async looksLikeBackup(): Promise<boolean> {
    const below = await this.store.listDirectories(this.layout.root);
    return below.includes(this.layout.metas) || below.includes(this.layout.binlogs);
  }

  /**
   * Finds the metas and answers what reads them as they come: `full_meta.json`, or without it the four level files with a warning.
   * @throws BackupNotFound, CorruptBackup where some of the level files are missing, and what the store throws
   */
  async streamMetas(): Promise<StreamedMetas> {
    const found = await findMetas(this.store, this.layout.meta);
    if (found === undefined) throw this.notFound("milvus-backup list shows what is there");
    return this.#streamed(found);
  }

  /** The commit record alone, as it comes; undefined for a backup that is not complete. */
  async streamCommitRecord(): Promise<StreamedMetas | undefined> {
    const large = await this.committed();
    return large && this.#streamed({ large });
  }

  #streamed(version: MetaVersion): StreamedMetas {
    return new StreamedMetas(this.store, `backup ${this.name} in ${this.place}`, version);
  }

  /**
   * Reads the metas whole, every log of every segment with them: for whoever wants to see all of it.
   * @throws BackupNotFound, CorruptBackup, and what the store throws
   */
  async readMetas(): Promise<FoundBackup> {
    const full = await this.commitRecord();
    if (full !== undefined) return { ...readBackupMeta({ full_meta: full }), complete: true };

    const texts: Partial<Record<MetaFileName, string>> = {};
    for (const file of levelFileNames) {
      const text = await this.store.getTextIfPresent(this.layout.meta[file]);
      if (text !== undefined) texts[file] = text;
    }
    if (Object.keys(texts).length === 0) throw this.notFound("milvus-backup list shows what is there");
    return { ...readBackupMeta(texts), complete: false };
  }

  /**
   * From the small level files where they are there; otherwise from the commit record, without its segments' logs.
   * @throws CorruptBackup, and BackupNotFound for a backup that is not complete
   */
  async readBrief(): Promise<BriefBackup> {
    const { meta } = this.layout;
    const [backup, collections] = await settleAll([
      this.store.getTextIfPresent(meta.backup_meta),
      this.store.getTextIfPresent(meta.collection_meta),
    ]);
    if (backup === undefined || collections === undefined) {
      const record = await this.streamCommitRecord();
      if (record === undefined) throw this.notFound("it was deleted meanwhile");
      return (await record.outline()).backup;
    }
    const { id, size, milvus_version } = parseFile(backupInfo, backup, "backup_meta.json").value;
    const { infos } = parseFile(collectionLevelInfo, collections, "collection_meta.json").value;
    return { id, size, milvus_version, collection_backups: infos };
  }

  /**
   * The index of our manifest; undefined for a backup without one (another tool's).
   * @throws CorruptBackup where it cannot be read
   */
  async readManifest(): Promise<ManifestIndex | undefined> {
    const text = await this.store.getTextIfPresent(this.layout.manifest);
    return text === undefined ? undefined : parseManifestIndex(text, this.layout.manifest);
  }

  /**
   * The instants that the collections of a backup were cut at, as our manifest has them; empty for a backup without (another tool's).
   * @param backupId of the backup as its metas tell it: a manifest that somebody left beside another backup says nothing of it
   * @throws CorruptBackup where one cannot be understood: importing everything in its place would bring back another state
   */
  async readInstants(backupId: string): Promise<Instants> {
    const manifest = await this.readManifest();
    if (manifest?.backupId !== backupId) return new Map();
    return new Map(
      manifest.instants.map(({ collectionId, collection, timestamp, time }) => {
        const parsed = instant.safeParse({ timestamp, time });
        if (parsed.success) return [collectionId, parsed.data];
        throw new PipelineError(
          "CorruptBackup",
          `${this.layout.manifest}: the instant of ${collection} cannot be understood: ${z.prettifyError(parsed.error)}. ` +
            "A newer version of the pipeline may have written it: update this one",
          { details: { file: this.layout.manifest } },
        );
      }),
    );
  }

  /** Every log that lies there, in key order. */
  listLogs(): AsyncIterable<ObjectSummary> {
    return this.store.list(this.layout.binlogs);
  }

  /** Begins a meta file. With `full_meta`, its end is the commit: see `commit`. */
  openMeta(file: MetaFileName): TextUpload {
    return this.store.openText(this.layout.meta[file]);
  }

  /** Whether the commit record is this very text; undefined for a backup that is not complete. */
  async isCommittedAs(text: TextDigest): Promise<boolean | undefined> {
    const present = await this.committed();
    if (present === undefined) return undefined;
    if (present.size !== text.size) return false;
    const hash = createHash("sha256");
    try {
      for await (const piece of this.store.readText(present.key, { ifMatch: present.etag })) hash.update(piece);
    } catch (error) {
      if (error instanceof PipelineError && error.name === "ObjectNotFound") return undefined;
      throw error;
    }
    return hash.digest("hex") === text.sha256;
  }

  /**
   * Makes `full_meta.json` appear, the very last object: the backup exists from then on. Does nothing where an earlier run of the same
   * step has written this very text.
   * @throws BackupExists where somebody else wrote a backup of that name meanwhile
   */
  async commit(fullMeta: TextUpload): Promise<void> {
    const { written } = fullMeta;
    if (await fullMeta.finish({ ifAbsent: true })) return;
    if (!(await this.isCommittedAs(written))) throw this.writtenByOthers();
  }

  /** Deletes everything below the backup's root, the commit record first: no reader takes what is left for a backup. */
  async remove(): Promise<{ objects: number }> {
    const complete = (await this.committed()) !== undefined;
    await this.store.deleteKeys([this.layout.meta.full_meta]);
    const rest = await this.store.deletePrefix(this.layout.root);
    return { objects: rest + (complete ? 1 : 0) };
  }

  /** @param hint what to do, or where to look */
  notFound(hint: string): PipelineError {
    return new PipelineError("BackupNotFound", `there is no backup ${this.name} in ${this.place} (${hint})`, {
      details: { backupName: this.name },
    });
  }

  writtenByOthers(): PipelineError {
    return new PipelineError(
      "BackupExists",
      `somebody else wrote backup ${this.name} in ${this.store.label} while this one was copied; choose another name`,
      { details: { key: "backupName" } },
    );
  }
}

/** The directories below a backup root path, each maybe a backup, by name. */
export async function storedBackups(store: ObjectStore, place: { readonly rootPath: string }): Promise<StoredBackup[]> {
  const root = backupsRoot(place.rootPath);
  const directories = await store.listDirectories(root);
  return directories.map((directory) => new StoredBackup(store, place, directory.slice(root.length, -1)));
}
