import type { CopiedLog, SegmentReceipt } from "../execution/copy-plan.ts";
import { PipelineError } from "../execution/errors.ts";
import { allPartitions, parseLogKey } from "../format/layout.ts";
import {
  type BackupInfo,
  type Binlog,
  backupInfo,
  binlog,
  type CollectionBackup,
  collectionBackup,
  databaseBackup,
  deltaLogsOf,
  type FieldBinlog,
  fieldBinlog,
  type PartitionBackup,
  partitionBackup,
  type SegmentBackup,
  segmentBackup,
} from "../format/meta.ts";
import { toCollectionSchema, toIndexInfo } from "../milvus/schema-mapping.ts";
import type { BackupPlan, PlannedCollection, PlannedSegment } from "./backup.ts";

/**
 * The records of a whole backup, from what Prepare Backup learned and what the copies left behind.
 * Segment order is Milvus's, log order is by field and log ID, so that the same data gives the same bytes.
 */
export function buildBackupInfo(
  plan: BackupPlan,
  planned: readonly PlannedCollection[],
  receipts: readonly SegmentReceipt[],
): BackupInfo {
  const receiptOf = new Map(receipts.map((receipt) => [receipt.segmentId, receipt]));
  const collections = planned.map((collection) => buildCollection(plan.backupId, collection, receiptOf));
  return backupInfo.create({
    id: plan.backupId,
    name: plan.backupName,
    collection_backups: collections,
    size: sumSizes(collections),
    milvus_version: plan.milvusVersion,
    database_backups: plan.databases.map(({ name, id, properties }) =>
      databaseBackup.create({ db_name: name, db_id: BigInt(id), properties: [...properties] }),
    ),
  });
}

function buildCollection(
  backupId: string,
  collection: PlannedCollection,
  receiptOf: ReadonlyMap<string, SegmentReceipt>,
): CollectionBackup {
  const { description, flushed } = collection;
  const collectionId = BigInt(description.id);
  const byPartition = Map.groupBy(collection.segments, (segment) => segment.partitionId);
  const segmentsOf = (partitionId: string) =>
    (byPartition.get(partitionId) ?? []).map((segment) =>
      buildSegment(collectionId, segment, receiptOf.get(segment.id)),
    );
  const partitions: PartitionBackup[] = collection.partitions.map((partition) => {
    const segments = segmentsOf(partition.id);
    return partitionBackup.create({
      partition_id: BigInt(partition.id),
      partition_name: partition.name,
      collection_id: collectionId,
      segment_backups: segments,
      size: sumSizes(segments),
      load_state: partition.loadState,
    });
  });
  const l0Segments = segmentsOf(allPartitions);
  const indexes = collection.indexes.map(toIndexInfo);
  return collectionBackup.create({
    id: backupId,
    collection_id: collectionId,
    db_name: description.name.database,
    collection_name: description.name.collection,
    schema: toCollectionSchema(description.schema),
    shards_num: description.shards,
    consistency_level: description.consistencyLevel,
    partition_backups: partitions,
    // What milvus-backup cuts at too, where it is asked to truncate.
    backup_timestamp: BigInt(collection.instant?.timestamp ?? flushed?.channelTimestamp ?? "0"),
    backup_physical_timestamp: BigInt(flushed?.sealTime ?? 0),
    channel_checkpoints: { ...flushed?.channelCheckpoints },
    size: sumSizes(partitions) + sumSizes(l0Segments),
    has_index: indexes.length > 0,
    index_infos: indexes,
    load_state: collection.loadState,
    l0_segments: l0Segments,
    properties: [...description.properties],
    db_id: BigInt(description.databaseId),
    created_timestamp: BigInt(description.createdTimestamp),
    virtual_channel_names: [...description.virtualChannels],
    physical_channel_names: [...description.physicalChannels],
    aliases: [...description.aliases],
  });
}

function buildSegment(
  collectionId: bigint,
  segment: PlannedSegment,
  receipt: SegmentReceipt | undefined,
): SegmentBackup {
  if (!receipt) {
    throw new PipelineError(
      "CopyMismatch",
      `segment ${segment.id} was planned, but no receipt says that it was copied. Start the same command again: what is copied is kept`,
    );
  }
  const insertLogs = byField(receipt.insertLogs);
  const deltaLogs = receipt.deltaLogs.map(toBinlog).sort(byLogId);
  const global = segment.partitionId === allPartitions;
  return segmentBackup.create({
    segment_id: BigInt(segment.id),
    collection_id: collectionId,
    partition_id: BigInt(segment.partitionId),
    num_of_rows: BigInt(segment.rows),
    binlogs: insertLogs,
    deltalogs: deltaLogsOf(deltaLogs),
    size: [...receipt.insertLogs, ...receipt.deltaLogs].reduce((sum, log) => sum + BigInt(log.size), 0n),
    // An L0 segment of all partitions has no group level.
    group_id: global ? 0n : BigInt(segment.id),
    is_l0: segment.isL0,
    v_channel: segment.virtualChannel,
    storage_version: BigInt(segment.storageVersion),
  });
}

function byField(logs: readonly CopiedLog[]): FieldBinlog[] {
  const fields = Map.groupBy(logs, (log) => BigInt(logKeyOf(log).fieldId ?? "0"));
  return [...fields.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([fieldID, logsOfField]) => fieldBinlog.create({ fieldID, binlogs: logsOfField.map(toBinlog).sort(byLogId) }));
}

function byLogId(a: Binlog, b: Binlog): number {
  return a.log_id < b.log_id ? -1 : a.log_id > b.log_id ? 1 : 0;
}

function toBinlog(log: CopiedLog) {
  return binlog.create({
    log_path: log.from,
    log_size: BigInt(log.size),
    log_id: BigInt(logKeyOf(log).logId),
  });
}

function logKeyOf({ from }: CopiedLog) {
  const key = parseLogKey(from);
  if (!key) throw new PipelineError("CorruptBackup", `${from} was copied as a log, but its name is not that of one`);
  return key;
}

function sumSizes(records: readonly { size: bigint }[]): bigint {
  return records.reduce((sum, { size }) => sum + size, 0n);
}
