import { PipelineError } from "../execution/errors.ts";
import { allPartitions, type MetaFileName, metaFileNames } from "./layout.ts";
import {
  type BackupInfo,
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
export function withSizes(backup: BackupInfo): BackupInfo {
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

/**
 * Rebuilds a backup from its four level files, with a warning of what these files do not hold.
 * @throws CorruptBackup also where they do not belong together (a segment whose partition is not there)
 */
export function rebuildFromLevelFiles(texts: Readonly<Record<Exclude<MetaFileName, "full_meta">, string>>): {
  backup: BackupInfo;
  warnings: string[];
} {
  const backup = parseFile(backupInfo, texts.backup_meta, "backup_meta.json");
  const collections = parseFile(collectionLevelInfo, texts.collection_meta, "collection_meta.json");
  const partitions = parseFile(partitionLevelInfo, texts.partition_meta, "partition_meta.json");
  const segments = parseFile(segmentLevelInfo, texts.segment_meta, "segment_meta.json");

  const partitionsOf = Map.groupBy(partitions.value.infos, (partition) => partition.collection_id);
  const segmentsOf = Map.groupBy(segments.value.infos, partitionKey);
  checkParents(collections.value.infos, partitions.value.infos, segments.value.infos);

  const databases = [...new Set(collections.value.infos.map((collection) => collection.db_name))];
  const rebuilt = withSizes({
    ...backup.value,
    database_backups: databases.map((db_name) => databaseBackup.create({ db_name })),
    collection_backups: collections.value.infos.map((collection) => ({
      ...collection,
      partition_backups: (partitionsOf.get(collection.collection_id) ?? []).map((partition) => ({
        ...partition,
        segment_backups: segmentsOf.get(partitionKey(partition)) ?? [],
      })),
    })),
  });
  return {
    backup: rebuilt,
    warnings: [
      "full_meta.json is missing: the backup is read from its four level files, which hold no L0 segments of all partitions " +
        "(rows deleted shortly before the backup may come back), no properties of databases, and no users, roles or grants",
      ...[backup, collections, partitions, segments].flatMap((parsed) => parsed.warnings),
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
  const missing = metaFileNames.filter((name) => texts[name] === undefined).map((name) => `${name}.json`);
  if (missing.length === metaFileNames.length) {
    throw new PipelineError("BackupNotFound", "there is no backup here: it has no meta files");
  }
  throw new PipelineError(
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

function sizeOf(parts: readonly { readonly size: bigint }[]): bigint {
  return parts.reduce((sum, part) => sum + part.size, 0n);
}

function partitionKey(part: { readonly collection_id: bigint; readonly partition_id: bigint }): string {
  return `${part.collection_id}/${part.partition_id}`;
}

function checkParents(
  collections: readonly CollectionBackup[],
  partitions: readonly PartitionBackup[],
  segments: readonly SegmentBackup[],
): void {
  const collectionIds = new Set(collections.map((collection) => collection.collection_id));
  const orphanPartition = partitions.find((partition) => !collectionIds.has(partition.collection_id));
  if (orphanPartition) {
    throw notTogether(
      `partition_meta.json: partition ${orphanPartition.partition_id} belongs to collection ${orphanPartition.collection_id}, which collection_meta.json does not have`,
    );
  }
  const partitionKeys = new Set(partitions.map(partitionKey));
  const orphan = segments.find((segment) => !partitionKeys.has(partitionKey(segment)));
  if (orphan) {
    throw notTogether(
      `segment_meta.json: segment ${orphan.segment_id} belongs to partition ${orphan.partition_id} of collection ${orphan.collection_id}, which partition_meta.json does not have`,
    );
  }
}

function notTogether(message: string): PipelineError {
  return new PipelineError("CorruptBackup", message);
}
