import { PipelineError } from "../execution/errors.ts";
import { type MetaFileName, metaFileNames } from "./layout.ts";
import {
  type BackupInfo,
  backupInfo,
  type CollectionBackup,
  collectionLevelInfo,
  databaseBackup,
  type PartitionBackup,
  partitionLevelInfo,
  type SegmentBackup,
  segmentLevelInfo,
} from "./meta.ts";
import { type Parsed, parseFile } from "./meta-codec.ts";

/** The text of every meta file of a backup. */
export type MetaFiles = Readonly<Record<MetaFileName, string>>;

/**
 * Prints the five meta files of one backup, byte for byte as milvus-backup prints them. The level files hold the same records
 * flat: the backup without databases and RBAC, collections with their partitions but without segments, segments without the L0
 * segments of all partitions.
 */
export function levelFiles(backup: BackupInfo): MetaFiles {
  const { id, name, backup_timestamp, size, milvus_version } = backup;
  const collections = backup.collection_backups.map(withoutSegments);
  const partitions = collections.flatMap((collection) => collection.partition_backups);
  const segments = backup.collection_backups.flatMap((collection) =>
    collection.partition_backups.flatMap((partition) => partition.segment_backups),
  );
  return {
    backup_meta: backupInfo.print(backupInfo.create({ id, name, backup_timestamp, size, milvus_version })),
    collection_meta: collectionLevelInfo.print({ infos: collections }),
    partition_meta: partitionLevelInfo.print({ infos: partitions }),
    segment_meta: segmentLevelInfo.print({ infos: segments }),
    full_meta: backupInfo.print(backup),
  };
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
