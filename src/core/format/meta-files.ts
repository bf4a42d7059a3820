import { PipelineError } from "../execution/errors.ts";
import { allPartitions, type MetaFileName, metaFileNames } from "./layout.ts";
import {
  type BackupInfo,
  type BackupWith,
  backupInfo,
  type CollectionBackup,
  collectionBackup,
  collectionLevelInfo,
  databaseBackup,
  type PartitionBackup,
  partitionBackup,
  partitionLevelInfo,
  type SegmentBackup,
  segmentBackup,
  segmentLevelInfo,
} from "./meta.ts";
import { type Parsed, parseFile, type RecordCodec, type RecordPieces } from "./meta-codec.ts";
import { type StreamedSegment, streamSegmentMeta } from "./meta-stream.ts";

const allPartitionsId = BigInt(allPartitions);

/** A collection whose segments come one after another. */
export interface StreamedCollection {
  /** Without segments: they come beside it, and its sizes are added up from them. */
  readonly record: CollectionBackup;
  /** By partition, in the order of the record; those of all partitions (L0) may stand anywhere among them. */
  readonly segments: AsyncIterable<SegmentBackup>;
}

/** The next piece of one of the five meta files. */
export interface MetaPiece {
  readonly file: MetaFileName;
  readonly text: string;
}

/**
 * Prints the five meta files of one backup side by side, byte for byte as milvus-backup prints them, from one pass over its
 * segments: only totals, the partitions of a collection and its L0 segments of all partitions are kept. The level files hold the same
 * records flat: the backup without databases and RBAC, collections with their partitions but without segments, segments without the
 * L0 segments of all partitions.
 * @param backup without collections: they come beside it, and its size is added up from them
 * @throws CopyMismatch where a segment comes after its partition is over, or belongs to none
 */
export async function* printMetas(
  backup: BackupInfo,
  collections: AsyncIterable<StreamedCollection>,
): AsyncGenerator<MetaPiece> {
  const full = backupInfo.pieces();
  const collectionLevel = levelPieces(collectionLevelInfo, "collection_meta");
  const partitionLevel = levelPieces(partitionLevelInfo, "partition_meta");
  const segmentLevel = levelPieces(segmentLevelInfo, "segment_meta");
  let size = 0n;

  yield { file: "full_meta", text: full.upTo("collection_backups", backup) };
  for await (const { record, segments } of collections) {
    const collection = collectionBackup.pieces();
    const partitions = new PartitionPieces(record);
    const l0Segments: string[] = [];
    let l0Size = 0n;
    yield { file: "full_meta", text: full.item() + collection.upTo("partition_backups", record) };
    for await (const segment of segments) {
      const printed = segmentBackup.print(segment);
      if (segment.partition_id === allPartitionsId) {
        l0Segments.push(printed);
        l0Size += segment.size;
        continue;
      }
      const opened = partitions.moveTo(segment, () => collection.item());
      yield { file: "full_meta", text: opened + printed };
      yield segmentLevel.item(printed);
    }
    yield { file: "full_meta", text: partitions.end(() => collection.item()) };

    const sized = { ...record, size: sizeOf(partitions.done) + l0Size };
    yield { file: "full_meta", text: collection.upTo("l0_segments", sized) };
    for (const printed of l0Segments) yield { file: "full_meta", text: collection.item() + printed };
    yield { file: "full_meta", text: collection.end(sized) };
    yield collectionLevel.item(
      collectionBackup.print({ ...sized, l0_segments: [], partition_backups: partitions.done }),
    );
    for (const partition of partitions.done) yield partitionLevel.item(partitionBackup.print(partition));
    size += sized.size;
  }
  yield { file: "full_meta", text: full.end({ ...backup, size }) };
  for (const level of [collectionLevel, partitionLevel, segmentLevel]) yield level.end();
  const { id, name, backup_timestamp, milvus_version } = backup;
  const flat = backupInfo.create({ id, name, backup_timestamp, size, milvus_version });
  yield { file: "backup_meta", text: backupInfo.print(flat) };
}

/** Adds up `size` from the segments: of partitions, of collections (with their L0 segments of all partitions), of the backup. */
export function withSizes<S extends { readonly size: bigint }>(backup: BackupWith<S>): BackupWith<S> {
  const collections = backup.collection_backups.map((collection) => {
    const partitions = collection.partition_backups.map((partition) => ({
      ...partition,
      size: sizeOf(partition.segment_backups),
    }));
    return { ...collection, partition_backups: partitions, size: sizeOf(partitions) + sizeOf(collection.l0_segments) };
  });
  return { ...backup, collection_backups: collections, size: sizeOf(collections) };
}

/** Reads `full_meta.json`; throws CorruptBackup with line, or path, of what is wrong. */
export function parseFullMeta(text: string): Parsed<BackupInfo> {
  return parseFile(backupInfo, text, "full_meta.json");
}

/** The level files without the one that holds the segments: small, whatever the backup's size is. */
export type OutlineTexts = Readonly<Record<Exclude<MetaFileName, "full_meta" | "segment_meta">, string>>;

/**
 * Rebuilds a backup from its four level files, with a warning of what these files do not hold.
 * @throws CorruptBackup also where they do not belong together (a segment whose partition is not there)
 */
export function rebuildFromLevelFiles(texts: Readonly<Record<Exclude<MetaFileName, "full_meta">, string>>): {
  backup: BackupInfo;
  warnings: string[];
} {
  const { backup, warnings } = outlineFromLevelFiles(texts);
  const segments = parseFile(segmentLevelInfo, texts.segment_meta, "segment_meta.json");
  const partitions = new PartitionPlaces(backup);
  const segmentsOf = Map.groupBy(segments.value.infos, (segment) => partitions.check(segment));
  const rebuilt = withSizes({
    ...backup,
    collection_backups: backup.collection_backups.map((collection) => ({
      ...collection,
      partition_backups: collection.partition_backups.map((partition) => ({
        ...partition,
        segment_backups: segmentsOf.get(partitionKey(partition)) ?? [],
      })),
    })),
  });
  return { backup: rebuilt, warnings: [...warnings, ...segments.warnings] };
}

/**
 * The same without holding the segments: they come in the order of their file, then those that the collections' file holds; then the
 * backup with empty lists of segments, whose sizes are still those of the files.
 * @param segmentMeta the text of `segment_meta.json`, cut anywhere
 */
export async function* streamLevelFiles(
  texts: OutlineTexts,
  segmentMeta: AsyncIterable<string>,
): AsyncGenerator<StreamedSegment, Parsed<BackupInfo>, undefined> {
  const { backup, warnings } = outlineFromLevelFiles(texts);
  const partitions = new PartitionPlaces(backup);
  const segments = streamSegmentMeta(segmentMeta);
  for (;;) {
    const next = await segments.next();
    if (next.done) {
      yield* backup.collection_backups.flatMap(({ l0_segments }, collection) =>
        l0_segments.map((segment) => ({ segment, collection, partition: undefined })),
      );
      const value = { ...backup, collection_backups: backup.collection_backups.map(withoutSegments) };
      return { value, warnings: [...warnings, ...next.value] };
    }
    for (const place of partitions.of(next.value)) yield { segment: next.value, ...place };
  }
}

/** A backup by its level files but for the one of the segments: its partitions have none. */
function outlineFromLevelFiles(texts: OutlineTexts): { backup: BackupInfo; warnings: string[] } {
  const backup = parseFile(backupInfo, texts.backup_meta, "backup_meta.json");
  const collections = parseFile(collectionLevelInfo, texts.collection_meta, "collection_meta.json");
  const partitions = parseFile(partitionLevelInfo, texts.partition_meta, "partition_meta.json");
  const partitionsOf = Map.groupBy(partitions.value.infos, (partition) => partition.collection_id);
  checkParents(collections.value.infos, partitions.value.infos);
  const databases = [...new Set(collections.value.infos.map((collection) => collection.db_name))];
  return {
    backup: {
      ...backup.value,
      database_backups: databases.map((db_name) => databaseBackup.create({ db_name })),
      collection_backups: collections.value.infos.map((collection) => ({
        ...collection,
        partition_backups: (partitionsOf.get(collection.collection_id) ?? []).map((partition) => ({
          ...partition,
          segment_backups: [],
        })),
      })),
    },
    warnings: [
      "full_meta.json is missing: the backup is read from its four level files, which hold no L0 segments of all partitions " +
        "(rows deleted shortly before the backup may come back), no properties of databases, and no users, roles or grants",
      ...[backup, collections, partitions].flatMap((parsed) => parsed.warnings),
    ],
  };
}

/**
 * Reads a backup by the format's rules: `full_meta.json` where it is present (a corrupt one is an error, never a reason to
 * look elsewhere), otherwise all four level files together.
 * @throws BackupNotFound where no meta file is there, CorruptBackup where files are corrupt, or some of the four are missing
 */
export function readBackupMeta(texts: Readonly<Partial<Record<MetaFileName, string>>>): {
  backup: BackupInfo;
  warnings: readonly string[];
} {
  if (texts.full_meta !== undefined) {
    const { value, warnings } = parseFullMeta(texts.full_meta);
    return { backup: value, warnings };
  }
  const { backup_meta, collection_meta, partition_meta, segment_meta } = texts;
  if (
    backup_meta !== undefined &&
    collection_meta !== undefined &&
    partition_meta !== undefined &&
    segment_meta !== undefined
  ) {
    return rebuildFromLevelFiles({ backup_meta, collection_meta, partition_meta, segment_meta });
  }
  throw missingMetas(metaFileNames.filter((name) => texts[name] === undefined));
}

/** What is thrown where files are missing of which a backup is read. */
export function missingMetas(names: readonly MetaFileName[]): PipelineError {
  if (names.length === metaFileNames.length) {
    return new PipelineError("BackupNotFound", "there is no backup here: it has no meta files");
  }
  const missing = names.map((name) => `${name}.json`);
  return new PipelineError(
    "CorruptBackup",
    `the backup is incomplete: ${missing.join(", ")} missing; without full_meta.json all four level files are needed`,
    { details: { missing } },
  );
}

/** The partitions of one collection while their segments are printed, each at its turn. */
class PartitionPieces {
  /** Those that are over, without segments, with their sizes. */
  readonly done: PartitionBackup[] = [];
  readonly #record: CollectionBackup;
  #current: { pieces: RecordPieces<PartitionBackup>; record: PartitionBackup } | undefined;

  constructor(record: CollectionBackup) {
    this.#record = record;
  }

  /** What stands between the last segment and this one. */
  moveTo(segment: SegmentBackup, item: () => string): string {
    let text = "";
    while (this.#current?.record.partition_id !== segment.partition_id)
      text += this.#close() + this.#open(item, segment);
    this.#current.record = { ...this.#current.record, size: this.#current.record.size + segment.size };
    return text + this.#current.pieces.item();
  }

  /** The rest of the partition that is open, and those that have no segments. */
  end(item: () => string): string {
    let text = this.#close();
    while (this.done.length < this.#record.partition_backups.length) text += this.#open(item) + this.#close();
    return text;
  }

  #open(item: () => string, segment?: SegmentBackup): string {
    const partition = this.#record.partition_backups[this.done.length];
    if (partition === undefined) {
      throw new PipelineError(
        "CopyMismatch",
        `segment ${segment?.segment_id} does not come with the others of its partition ${segment?.partition_id} in collection ` +
          `${this.#record.collection_id}, as another version of this pipeline plans them. Start the same command again: what is copied is kept`,
      );
    }
    const record = { ...partition, segment_backups: [], size: 0n };
    const pieces = partitionBackup.pieces();
    this.#current = { pieces, record };
    return item() + pieces.upTo("segment_backups", record);
  }

  #close(): string {
    if (this.#current === undefined) return "";
    const { pieces, record } = this.#current;
    this.done.push(record);
    this.#current = undefined;
    return pieces.end(record);
  }
}

/** A level file: its items one after another. */
function levelPieces<T>(codec: RecordCodec<{ infos: T[] }>, file: MetaFileName) {
  const pieces = codec.pieces();
  const none = codec.zero();
  pieces.upTo("infos", none);
  return {
    item: (printed: string): MetaPiece => ({ file, text: pieces.item() + printed }),
    end: (): MetaPiece => ({ file, text: pieces.end(none) }),
  };
}

function withoutSegments(collection: CollectionBackup): CollectionBackup {
  return {
    ...collection,
    l0_segments: [],
    partition_backups: collection.partition_backups.map((partition) => ({ ...partition, segment_backups: [] })),
  };
}

function sizeOf(parts: readonly { readonly size: bigint }[]): bigint {
  return parts.reduce((sum, part) => sum + part.size, 0n);
}

function partitionKey(part: { readonly collection_id: bigint; readonly partition_id: bigint }): string {
  return `${part.collection_id}/${part.partition_id}`;
}

function checkParents(collections: readonly CollectionBackup[], partitions: readonly PartitionBackup[]): void {
  const collectionIds = new Set(collections.map((collection) => collection.collection_id));
  const orphan = partitions.find((partition) => !collectionIds.has(partition.collection_id));
  if (!orphan) return;
  throw notTogether(
    `partition_meta.json: partition ${orphan.partition_id} belongs to collection ${orphan.collection_id}, which collection_meta.json does not have`,
  );
}

/** Where in a backup the partition of a segment is. */
class PartitionPlaces {
  readonly #places: ReadonlyMap<string, readonly { collection: number; partition: number }[]>;

  constructor(backup: BackupInfo) {
    const places = backup.collection_backups.flatMap(({ partition_backups }, collection) =>
      partition_backups.map((record, partition) => ({ key: partitionKey(record), place: { collection, partition } })),
    );
    this.#places = new Map(
      [...Map.groupBy(places, ({ key }) => key)].map(([key, members]) => [key, members.map(({ place }) => place)]),
    );
  }

  /** @throws CorruptBackup where the backup has no such partition */
  of(segment: SegmentBackup): readonly { collection: number; partition: number }[] {
    const places = this.#places.get(partitionKey(segment));
    if (places) return places;
    throw notTogether(
      `segment_meta.json: segment ${segment.segment_id} belongs to partition ${segment.partition_id} of collection ${segment.collection_id}, which partition_meta.json does not have`,
    );
  }

  /** The key of a segment's partition, which is there. */
  check(segment: SegmentBackup): string {
    this.of(segment);
    return partitionKey(segment);
  }
}

function notTogether(message: string): PipelineError {
  return new PipelineError("CorruptBackup", message);
}
