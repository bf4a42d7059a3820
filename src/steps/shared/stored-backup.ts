import { createHash } from "node:crypto";
import * as z from "zod";
import { PipelineError } from "../../core/execution/errors.ts";
import type { ObjectLock } from "../../core/execution/object-lock.ts";
import { settleAll } from "../../core/execution/settle.ts";
import {
  type BackupLayout,
  backupLayout,
  incrementalsOf,
  type MetaFileName,
  metaFileNames,
} from "../../core/format/layout.ts";
import {
  type KeptAttributes,
  type ManifestIndex,
  type ManifestObject,
  type ManifestPart,
  parseManifestIndex,
  streamManifestPart,
} from "../../core/format/manifest.ts";
import { type BackupInfo, backupInfo, type CollectionWith, collectionLevelInfo } from "../../core/format/meta.ts";
import { parseFile } from "../../core/format/meta-codec.ts";
import { readBackupMeta } from "../../core/format/meta-files.ts";
import { type CutAt, instant } from "../../core/milvus/instant.ts";
import type { ObjectStore, ObjectSummary, TextDigest, TextUpload } from "../../ports/object-store.ts";
import { findMetas, type MetaVersion, namingBackup, StreamedMetas } from "./streamed-metas.ts";

/** A backup as its metas tell it. */
export interface FoundBackup {
  readonly backup: BackupInfo;
  /** false: `full_meta.json` is missing, and what is shown was put together from the level files. */
  readonly complete: boolean;
  readonly warnings: readonly string[];
}

/** How far a backup was removed. */
export interface RemovedBackup {
  readonly objects: number;
  /** true: some of it lies there still, with the claim that says so. */
  readonly left: boolean;
}

/** The instant of every collection that was cut, by its ID. */
export type Instants = ReadonlyMap<string, CutAt>;

/** What a list shows of a backup: its collections without their segments. */
export type BriefBackup = Pick<BackupInfo, "id" | "size" | "milvus_version"> & {
  readonly collection_backups: readonly CollectionWith<unknown>[];
};

/** So many keys are deleted between two looks at who may. */
const keysPerRemoval = 1_000;

/** Read and parsed sooner than a second file is asked for. */
const smallRecordBytes = 24 * 1024;

const levelFileNames = ["backup_meta", "collection_meta", "partition_meta", "segment_meta"] as const;

/** Where the backups of an environment lie: its `backupStorage`. */
export type BackupsPlace = { readonly rootPath: string };

/**
 * One backup in one store, written, half written or not there at all: the one place that reads its metas, writes its commit record
 * (`full_meta.json`) and removes what lies under its root.
 */
export class StoredBackup {
  readonly store: ObjectStore;
  readonly name: string;
  readonly layout: BackupLayout;
  /** How what is written of it is locked; undefined for not at all, and for a backup that is only read. */
  readonly lock: ObjectLock | undefined;
  readonly #rootPath: string;

  /**
   * A backup of a kind that is known: one that is going to be written. `findBackup` looks which kind lies there.
   * @param source which Milvus an incremental backup is of; absent for a plain one
   * @param lock of what is written
   */
  constructor(store: ObjectStore, { rootPath }: BackupsPlace, name: string, source?: string, lock?: ObjectLock) {
    this.store = store;
    this.name = name;
    this.layout = backupLayout(rootPath, name, source);
    this.#rootPath = rootPath;
    this.lock = lock;
  }

  /** The incremental backups that lie in this folder, or what is left of them: one a source, at most one of them complete. */
  async incrementals(): Promise<StoredBackup[]> {
    const parent = incrementalsOf(this.#rootPath, this.name);
    const sources = await this.store.listDirectories(parent);
    const place = { rootPath: this.#rootPath };
    return sources.map((key) => new StoredBackup(this.store, place, this.name, key.slice(parent.length, -1)));
  }

  /** What the backup would be as a plain one, in its folder. */
  get asPlain(): StoredBackup {
    return new StoredBackup(this.store, { rootPath: this.#rootPath }, this.name);
  }

  /** For messages: `bucket-b at 127.0.0.1:9000 under backup/my_backup/`. */
  get place(): string {
    return `${this.store.label} under ${this.layout.root}`;
  }

  /** What a listing says of the commit record; undefined for a backup that is not complete. */
  async committed(): Promise<ObjectSummary | undefined> {
    return this.store.head(this.layout.meta.full_meta);
  }

  /** The text of the commit record; undefined for a backup that is not complete. */
  async commitRecord(): Promise<string | undefined> {
    return this.store.getTextIfPresent(this.layout.meta.full_meta);
  }

  /** What lies right below the backup's root beside the claim, relative to it: `meta/`, `milvus-backup-manifest.json`. */
  async children(): Promise<string[]> {
    const { root, claim } = this.layout;
    const { directories, objects } = await this.store.listChildren(root);
    return (
      [...directories, ...objects.map(({ key }) => key)]
        // Some stores and tools keep an empty object in place of a directory.
        .filter((key) => key !== claim && key !== root)
        .map((key) => key.slice(root.length))
    );
  }

  /** Those of them that no backup has: a Milvus's own directories, other backups, somebody's files. */
  async strangers(): Promise<string[]> {
    const { root, metas, binlogs, manifestParts, manifest, signature, verified, drilled } = this.asPlain.layout;
    const known = new Set(
      [
        metas,
        binlogs,
        manifestParts,
        manifest,
        signature,
        verified,
        drilled,
        incrementalsOf(this.#rootPath, this.name),
      ].map((key) => key.slice(root.length)),
    );
    return (await this.children()).filter((child) => !known.has(child));
  }

  /** Whether anything lies below the backup's root, be it a claim alone. */
  async hasLeftovers(): Promise<boolean> {
    const { directories, objects } = await this.store.listChildren(this.layout.root);
    return directories.length + objects.length > 0;
  }

  /** A root path may be shared with other things: only a directory with metas, binlogs or a claim is what a backup left. */
  async looksLikeBackup(): Promise<boolean> {
    const { metas, binlogs, claim } = this.asPlain.layout;
    const { directories, objects } = await this.store.listChildren(this.layout.root);
    const left = [metas, binlogs, incrementalsOf(this.#rootPath, this.name)];
    return left.some((key) => directories.includes(key)) || objects.some(({ key }) => key === claim);
  }

  /**
   * Finds the metas and answers what reads them as they come: `full_meta.json`, or without it the four level files with a warning.
   * @param committed the commit record as it was seen just now
   * @throws BackupNotFound, CorruptBackup where some of the level files are missing, and what the store throws
   */
  async streamMetas(committed?: ObjectSummary): Promise<StreamedMetas> {
    const found = committed ? { large: committed } : await this.#naming(() => findMetas(this.store, this.layout.meta));
    if (found === undefined) throw this.notFound("milvus-backup list shows what is there");
    return this.#streamed(found);
  }

  /** The commit record alone, as it comes; undefined for a backup that is not complete. */
  async streamCommitRecord(): Promise<StreamedMetas | undefined> {
    const large = await this.committed();
    return large && this.#streamed({ large });
  }

  #streamed(version: MetaVersion): StreamedMetas {
    return new StreamedMetas(this.store, this.#label, version);
  }

  get #label(): string {
    return `backup ${this.name} in ${this.place}`;
  }

  /** Where what is read is corrupt, the error names the backup. */
  async #naming<T>(read: () => T | Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      throw namingBackup(this.#label, error);
    }
  }

  /**
   * Reads the metas whole, every log of every segment with them: for whoever wants to see all of it.
   * @throws BackupNotFound, CorruptBackup, and what the store throws
   */
  async readMetas(): Promise<FoundBackup> {
    const full = await this.commitRecord();
    if (full !== undefined) {
      return { ...(await this.#naming(() => readBackupMeta({ full_meta: full }))), complete: true };
    }

    const texts: Partial<Record<MetaFileName, string>> = {};
    for (const file of levelFileNames) {
      const text = await this.store.getTextIfPresent(this.layout.meta[file]);
      if (text !== undefined) texts[file] = text;
    }
    if (Object.keys(texts).length === 0) throw this.notFound("milvus-backup list shows what is there");
    return { ...(await this.#naming(() => readBackupMeta(texts))), complete: false };
  }

  /**
   * From the commit record where that is small, so that one request tells it; else from the level files without segments where they are
   * there, else from the commit record as it comes.
   * @param committed what a listing showed of the commit record
   * @throws CorruptBackup, and BackupNotFound for a backup that is not complete
   */
  async readBrief(committed?: ObjectSummary): Promise<BriefBackup> {
    const { meta } = this.layout;
    if (committed !== undefined && committed.size <= smallRecordBytes) {
      const record = await this.commitRecord();
      if (record === undefined) throw this.notFound("it was deleted meanwhile");
      return this.#naming(() => parseFile(backupInfo, record, "full_meta.json").value);
    }
    const [backup, collections] = await settleAll([
      this.store.getTextIfPresent(meta.backup_meta),
      this.store.getTextIfPresent(meta.collection_meta),
    ]);
    if (backup === undefined || collections === undefined) {
      const record = await this.streamCommitRecord();
      if (record === undefined) throw this.notFound("it was deleted meanwhile");
      return (await record.outline()).backup;
    }
    return this.#naming(() => {
      const { id, size, milvus_version } = parseFile(backupInfo, backup, "backup_meta.json").value;
      const { infos } = parseFile(collectionLevelInfo, collections, "collection_meta.json").value;
      return { id, size, milvus_version, collection_backups: infos };
    });
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
    return this.instantsOf(await this.readManifest(), backupId);
  }

  /** The same, of an index that was read; throws as `readInstants` does. */
  instantsOf(manifest: ManifestIndex | undefined, backupId: string): Instants {
    if (manifest?.backupId !== backupId) return new Map();
    return new Map(
      manifest.instants.map(({ collectionId, collection, timestamp, time, laterRows }) => {
        const parsed = instant.safeParse({ timestamp, time });
        if (parsed.success) return [collectionId, { instant: parsed.data, laterRows: new Set(laterRows) }];
        throw new PipelineError(
          "CorruptBackup",
          `${this.layout.manifest}: the instant of ${collection} cannot be understood: ${z.prettifyError(parsed.error)}. ` +
            "A newer version of the pipeline may have written it: update this one",
          { details: { file: this.layout.manifest } },
        );
      }),
    );
  }

  /**
   * What of the collections of a backup the format has no place for, as our manifest keeps it, by collection ID.
   * @param backupId as for `readInstants`
   */
  keptOf(manifest: ManifestIndex | undefined, backupId: string): ReadonlyMap<string, KeptAttributes> {
    if (manifest?.backupId !== backupId) return new Map();
    return new Map(manifest.kept?.map((attributes) => [attributes.collectionId, attributes]));
  }

  /**
   * What a part of the manifest lists, one object after another.
   * @throws CorruptBackup where the part is missing, or at its end, where it is not what the index says
   */
  async *manifestObjects(part: ManifestPart): AsyncGenerator<ManifestObject> {
    const key = this.layout.absolute(part.key);
    try {
      yield* streamManifestPart(this.store.readText(key), part);
    } catch (error) {
      if (!(error instanceof PipelineError) || error.name !== "ObjectNotFound") throw error;
      const message = `${key} in ${this.store.label} is missing: it is a part of the manifest ${this.layout.manifest}`;
      throw new PipelineError("CorruptBackup", message, { details: { file: key } });
    }
  }

  /**
   * Compares metas that were read with the manifest.
   * @param sha256s hex, of the text of each
   * @throws CorruptBackup where one is not what the manifest was written for
   */
  checkMetas(index: ManifestIndex, sha256s: Partial<Record<MetaFileName, string>>): void {
    const { meta, manifest } = this.layout;
    for (const name of metaFileNames) {
      const key = meta[name];
      const listed = index.metas.find((file) => this.layout.absolute(file.key) === key);
      if (sha256s[name] === undefined || listed?.sha256 === sha256s[name]) continue;
      throw new PipelineError(
        "CorruptBackup",
        `${key} in ${this.store.label} is not the one that ${manifest} was written for: it was changed since`,
        { details: { file: key } },
      );
    }
  }

  /** Every log that lies there and is the backup's alone, in key order. */
  listLogs(): AsyncIterable<ObjectSummary> {
    return this.store.list(this.layout.binlogs);
  }

  /**
   * What an incremental backup may share with others, with what is theirs alone; nothing of a plain one.
   * @param collectionIds whose
   */
  async *listShared(collectionIds: Iterable<string>): AsyncGenerator<ObjectSummary> {
    if (this.layout.shared === undefined) return;
    for (const id of collectionIds) yield* this.store.list(this.layout.collectionInsertLogs(id));
  }

  /** Begins a meta file. With `full_meta`, its end is the commit: see `commit`. */
  openMeta(file: MetaFileName): TextUpload {
    return this.store.openText(this.layout.meta[file], { lock: this.lock });
  }

  /** Whether the commit record is this very text; undefined for a backup that is not complete. */
  async isCommittedAs(text: Pick<TextDigest, "sha256"> & Partial<TextDigest>): Promise<boolean | undefined> {
    const present = await this.committed();
    if (present === undefined) return undefined;
    if (text.size !== undefined && present.size !== text.size) return false;
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
    if (this.lock) await this.store.extendLock(this.layout.meta.full_meta, this.lock);
  }

  /**
   * Deletes everything below the backup's root, the commit record first, so that no reader takes what is left for a backup, and the
   * claim last, so that what is left is known for what it is.
   * @param confirm throws where it must not go on; asked before each thousand objects
   * @param isInTime false: it ends there, and another deletion goes on; asked before each request
   * @returns how many objects were deleted, without the claim, and whether some are left
   */
  async remove(confirm: () => Promise<void>, isInTime = () => true): Promise<RemovedBackup> {
    const { root, claim } = this.layout;
    const outOfTime = new PipelineError("StoreBusy", `there was no time for all of ${this.place}`);
    const stillMay = () => {
      if (!isInTime()) throw outOfTime;
    };
    let objects = 0;
    let keys: string[] = [];
    const flush = async () => {
      if (keys.length === 0) return;
      await confirm();
      await this.store.deleteKeys(keys, { stillMay });
      objects += keys.length;
      keys = [];
    };
    try {
      await confirm();
      for (const one of [this.asPlain, ...(await this.incrementals())]) {
        if ((await one.committed()) === undefined) continue;
        await this.store.deleteKeys([one.layout.meta.full_meta], { stillMay });
        objects += 1;
      }
      for await (const { key } of this.store.list(root)) {
        if (key === claim) continue;
        stillMay();
        keys.push(key);
        if (keys.length >= keysPerRemoval) await flush();
      }
      await flush();
      await confirm();
      await this.store.deleteKeys([claim], { stillMay });
      return { objects, left: false };
    } catch (error) {
      if (error === outOfTime) return { objects, left: true };
      throw error;
    }
  }

  /**
   * Removes what a failed backup of the other kind left in the folder, before this one is committed: milvus-backup takes a folder with level
   * metas for a backup, and would restore an incremental one without its rows.
   * @param confirm throws where nothing may be removed
   * @throws BackupExists where that one is complete
   */
  async removeOtherKinds(confirm: () => Promise<void>): Promise<void> {
    const others = [this.asPlain, ...(await this.incrementals())].filter(
      ({ layout }) => layout.source !== this.layout.source,
    );
    for (const other of others) {
      const { layout, store } = other;
      if ((await other.committed()) !== undefined) throw this.writtenByOthers();
      const keys: string[] = [];
      for (const prefix of [layout.metas, layout.manifestParts]) {
        for await (const { key } of store.list(prefix)) keys.push(key);
      }
      for (const key of [layout.manifest, layout.signature]) {
        if ((await store.head(key)) !== undefined) keys.push(key);
      }
      if (keys.length === 0) continue;
      await confirm();
      await store.deleteKeys([...new Set(keys)]);
    }
  }

  /** @param hint what to do, or where to look */
  notFound(hint: string): PipelineError {
    return new PipelineError("BackupNotFound", `there is no backup ${this.name} in ${this.place} (${hint})`, {
      details: { backupName: this.name },
    });
  }

  existsAlready(): PipelineError {
    return new PipelineError(
      "BackupExists",
      `backup ${this.name} exists already in ${this.place}; choose another name or delete it first`,
      { details: { key: "backupName" } },
    );
  }

  writtenByOthers(): PipelineError {
    return new PipelineError(
      "BackupExists",
      `somebody else wrote backup ${this.name} in ${this.store.label} while this one was copied; choose another name`,
      { details: { key: "backupName" } },
    );
  }
}
