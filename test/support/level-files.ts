import type { MetaFileName } from "../../src/core/format/layout.ts";
import {
  type BackupInfo,
  backupInfo,
  type CollectionBackup,
  collectionLevelInfo,
  partitionLevelInfo,
  segmentLevelInfo,
} from "../../src/core/format/meta.ts";
import { printMetas, type StreamedCollection } from "../../src/core/format/meta-files.ts";

/** The text of every meta file of a backup. */
export type MetaFiles = Readonly<Record<MetaFileName, string>>;

/** What the five meta files are, said in the plainest way: each record printed whole. */
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

/** The same files, printed from a backup that comes in pieces. */
export async function printedFiles(backup: BackupInfo): Promise<MetaFiles> {
  const files = { backup_meta: "", collection_meta: "", partition_meta: "", segment_meta: "", full_meta: "" };
  const head = { ...backup, collection_backups: [], size: 0n };
  for await (const { file, text } of printMetas(head, streamed(backup.collection_backups))) files[file] += text;
  return files;
}

async function* streamed(collections: readonly CollectionBackup[]): AsyncGenerator<StreamedCollection> {
  for (const collection of collections) {
    const segments = [
      ...collection.partition_backups.flatMap((partition) => partition.segment_backups),
      ...collection.l0_segments,
    ];
    yield { record: { ...withoutSegments(collection), size: 0n }, segments: each(segments) };
  }
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

function withoutSegments(collection: CollectionBackup): CollectionBackup {
  return {
    ...collection,
    l0_segments: [],
    partition_backups: collection.partition_backups.map((partition) => ({ ...partition, segment_backups: [] })),
  };
}
