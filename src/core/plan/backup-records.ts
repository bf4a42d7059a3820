import type { CopiedLog, SegmentReceipt } from "../execution/copy-plan.ts";
import { PipelineError } from "../execution/errors.ts";
import { allPartitions, type LogKey, parseLogKey } from "../format/layout.ts";
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
  partitionBackup,
  type RbacMeta,
  type SegmentBackup,
  segmentBackup,
} from "../format/meta.ts";
import { toCollectionSchema, toIndexInfo } from "../milvus/schema-mapping.ts";
import type { BackupPlan, PlannedCollection, PlannedSegment } from "./backup.ts";

/** What Prepare Backup learned of a whole backup, beside its collections. */
export interface BackupHead
  extends Pick<
    BackupPlan,
    "backupName" | "backupId" | "milvusVersion" | "databases" | "schedule" | "rpcChannel" | "serverFlush"
  > {
  /** Of no plan: passwords lie in no file of the work bucket. */
  readonly rbac?: RbacMeta | undefined;
  /** Of encrypted databases, by their names; of no plan for the same reason. */
  readonly encryptionKeys?: ReadonlyMap<string, string>;
}

/** The record of a backup; its collections, and its size, come beside it. */
export function backupRecord(head: BackupHead): BackupInfo {
  return backupInfo.create({
    id: head.backupId,
    name: head.backupName,
    milvus_version: head.milvusVersion,
    ...(head.rbac && { rbac_meta: head.rbac }),
    database_backups: head.databases.map(({ name, id, properties }) =>
      databaseBackup.create({
        db_name: name,
        db_id: BigInt(id),
        properties: [...properties],
        ezk: head.encryptionKeys?.get(name) ?? "",
      }),
    ),
    ...(head.rpcChannel && { rpc_channel_info: head.rpcChannel }),
    ...(head.serverFlush && {
      flush_all_msgs_base64: head.serverFlush.messages,
      control_channel_name: head.serverFlush.controlChannel,
      physical_channel_names: [...head.serverFlush.physicalChannels],
    }),
  });
}

/** The record of a collection and its partitions; their segments, and sizes, come beside it. */
export function collectionRecord(backupId: string, collection: PlannedCollection): CollectionBackup {
  const { description, flushed } = collection;
  const collectionId = BigInt(description.id);
  const indexes = collection.indexes.map(toIndexInfo);
  return collectionBackup.create({
    id: backupId,
    collection_id: collectionId,
    db_name: description.name.database,
    collection_name: description.name.collection,
    schema: toCollectionSchema(description.schema),
    shards_num: description.shards,
    consistency_level: description.consistencyLevel,
    partition_backups: collection.partitions.map((partition) =>
      partitionBackup.create({
        partition_id: BigInt(partition.id),
        partition_name: partition.name,
        collection_id: collectionId,
        load_state: partition.loadState,
      }),
    ),
    // What milvus-backup cuts at too, where it is asked to truncate.
    backup_timestamp: BigInt(collection.instant?.timestamp ?? flushed?.channelTimestamp ?? "0"),
    backup_physical_timestamp: BigInt(flushed?.sealTime ?? 0),
    channel_checkpoints: { ...flushed?.channelCheckpoints },
    has_index: indexes.length > 0,
    index_infos: indexes,
    load_state: collection.loadState,
    properties: [...description.properties],
    db_id: BigInt(description.databaseId),
    created_timestamp: BigInt(description.createdTimestamp),
    virtual_channel_names: [...description.virtualChannels],
    physical_channel_names: [...description.physicalChannels],
    aliases: [...description.aliases],
  });
}

/**
 * Segments as the metas have them: by partition, those of all partitions last, otherwise in Milvus's order. Planned, copied and
 * written in this order, they pass from receipts to metas without being held.
 */
export function inPartitionOrder<T extends { readonly partitionId: string }>(
  segments: readonly T[],
  partitions: readonly { readonly id: string }[],
): T[] {
  const places = new Map(partitions.map(({ id }, place) => [id, place]));
  const placeOf = ({ partitionId }: T) => places.get(partitionId) ?? partitions.length;
  return segments.toSorted((a, b) => placeOf(a) - placeOf(b));
}

/**
 * The record of a segment, from what its copy left behind. Log order is by field and log ID, so that the same data gives the same
 * bytes.
 * @throws CorruptBackup where something was copied that is no log
 */
export function segmentRecord(collectionId: string, segment: PlannedSegment, receipt: SegmentReceipt): SegmentBackup {
  const global = segment.partitionId === allPartitions;
  return segmentBackup.create({
    segment_id: BigInt(segment.id),
    collection_id: BigInt(collectionId),
    partition_id: BigInt(segment.partitionId),
    num_of_rows: BigInt(segment.rows),
    binlogs: byField(receipt.insertLogs),
    deltalogs: deltaLogsOf(receipt.deltaLogs.map((log) => toBinlog(log, logKeyOf(log))).sort(byLogId)),
    size: BigInt([...receipt.insertLogs, ...receipt.deltaLogs].reduce((sum, log) => sum + log.size, 0)),
    // An L0 segment of all partitions has no group level.
    group_id: global ? 0n : BigInt(segment.id),
    is_l0: segment.isL0,
    v_channel: segment.virtualChannel,
    storage_version: BigInt(segment.storageVersion),
  });
}

function byField(logs: readonly CopiedLog[]): FieldBinlog[] {
  const fields = new Map<string, Binlog[]>();
  for (const log of logs) {
    const key = logKeyOf(log);
    const field = key.fieldId ?? "0";
    const binlogs = fields.get(field) ?? [];
    binlogs.push(toBinlog(log, key));
    fields.set(field, binlogs);
  }
  return [...fields]
    .map(([fieldId, binlogs]) => fieldBinlog.create({ fieldID: BigInt(fieldId), binlogs: binlogs.sort(byLogId) }))
    .sort((a, b) => (a.fieldID < b.fieldID ? -1 : 1));
}

function byLogId(a: Binlog, b: Binlog): number {
  return a.log_id < b.log_id ? -1 : a.log_id > b.log_id ? 1 : 0;
}

function toBinlog(log: CopiedLog, { logId }: LogKey): Binlog {
  return binlog.create({ log_path: log.from, log_size: BigInt(log.size), log_id: BigInt(logId) });
}

function logKeyOf({ from }: CopiedLog): LogKey {
  const key = parseLogKey(from);
  if (!key) throw new PipelineError("CorruptBackup", `${from} was copied as a log, but its name is not that of one`);
  return key;
}
