import {
  bool,
  type Infer,
  int32,
  int64,
  kept,
  list,
  optional,
  type RecordCodec,
  record,
  text,
  textMap,
  uint64,
} from "./meta-codec.ts";

/**
 * The records of the milvus-backup format (0.5.x), each declared once: names and order are those of the Go structs, so that
 * printing gives the bytes that milvus-backup prints. IDs, sizes and timestamps are bigints, enums are numbers as Milvus
 * numbers them. `xxx.create({...})` makes a whole record from the properties that are not zero.
 */
export const keyValuePair = record({ key: text, value: text });

export const binlog = record({
  entries_num: int64,
  timestamp_from: uint64,
  timestamp_to: uint64,
  /** Key in the bucket of the Milvus that was backed up. */
  log_path: text,
  /** Bytes. */
  log_size: kept(int64),
  log_id: int64,
});
export type Binlog = Infer<typeof binlog>;

/** The logs of one field; in delta logs there is one of these, without a field. */
export const fieldBinlog = record({ fieldID: int64, binlogs: list(binlog) });
export type FieldBinlog = Infer<typeof fieldBinlog>;

export const segmentBackup = record({
  segment_id: int64,
  collection_id: int64,
  /** -1: an L0 segment whose deletes hold for all partitions. */
  partition_id: int64,
  num_of_rows: int64,
  binlogs: list(fieldBinlog),
  statslogs: list(fieldBinlog),
  /** See `deltaLogsOf`: printed as `[{}]` for a segment without deletes. */
  deltalogs: list(fieldBinlog),
  /** Bytes of all its logs. */
  size: kept(int64),
  /** The directory above the segment's in the backup; 0 where there is none. */
  group_id: int64,
  backuped: bool,
  is_l0: bool,
  v_channel: text,
  storage_version: int64,
});
export type SegmentBackup = Infer<typeof segmentBackup>;

export const partitionBackup = record({
  partition_id: int64,
  partition_name: text,
  collection_id: int64,
  segment_backups: list(segmentBackup),
  size: kept(int64),
  load_state: text,
});
export type PartitionBackup = Infer<typeof partitionBackup>;

export const indexInfo = record({
  field_name: text,
  index_name: text,
  index_type: text,
  params: textMap,
  index_id: int64,
  field_id: int64,
  create_time: uint64,
  type_params: list(keyValuePair),
  index_params: list(keyValuePair),
  user_index_params: list(keyValuePair),
  is_auto_index: bool,
  min_index_version: int32,
  max_index_version: int32,
});
export type IndexInfo = Infer<typeof indexInfo>;

export const fieldSchema = record({
  fieldID: int64,
  name: text,
  is_primary_key: bool,
  description: text,
  data_type: int32,
  type_params: list(keyValuePair),
  index_params: list(keyValuePair),
  autoID: bool,
  state: int32,
  element_type: int32,
  is_dynamic: bool,
  is_partition_key: bool,
  nullable: bool,
  /** Older backups: the bytes of a protobuf `schemapb.ValueField`, as text. */
  default_value_proto: text,
  is_function_output: bool,
  /** base64 of a protobuf `schemapb.ValueField`. */
  default_value_base64: text,
});
export type FieldSchema = Infer<typeof fieldSchema>;

export const functionSchema = record({
  name: text,
  id: int64,
  description: text,
  type: int32,
  input_field_names: list(text),
  input_field_ids: list(int64),
  output_field_names: list(text),
  output_field_ids: list(int64),
  params: list(keyValuePair),
});

export const structArrayField = record({ fieldID: int64, name: text, description: text, fields: list(fieldSchema) });

export const collectionSchema = record({
  name: text,
  description: text,
  autoID: bool,
  fields: list(fieldSchema),
  enable_dynamic_field: bool,
  properties: list(keyValuePair),
  functions: list(functionSchema),
  struct_array_fields: list(structArrayField),
});
export type CollectionSchema = Infer<typeof collectionSchema>;

/** What versions before 0.5 kept of a task's state in its records. */
const legacyTaskState = ["errorMessage", "start_time", "end_time", "progress"];

export const collectionBackup = record(
  {
    id: text,
    collection_id: int64,
    db_name: text,
    collection_name: text,
    schema: collectionSchema,
    shards_num: int32,
    /** Strong 0, Session 1, Bounded 2, Eventually 3, Customized 4. */
    consistency_level: int32,
    partition_backups: list(partitionBackup),
    backup_timestamp: uint64,
    size: kept(int64),
    has_index: kept(bool),
    index_infos: list(indexInfo),
    load_state: text,
    /** Unix seconds. */
    backup_physical_timestamp: uint64,
    channel_checkpoints: textMap,
    l0_segments: list(segmentBackup),
    properties: list(keyValuePair),
    db_id: int64,
    created_timestamp: uint64,
    virtual_channel_names: list(text),
    physical_channel_names: list(text),
    aliases: list(text),
  },
  { legacy: ["state_code", ...legacyTaskState] },
);
export type CollectionBackup = Infer<typeof collectionBackup>;

export const databaseBackup = record({
  db_name: text,
  db_id: int64,
  properties: list(keyValuePair),
  /** The key of an encrypted database, as its Milvus wraps it: never show it. */
  ezk: text,
});

const namedEntity = record({ name: text });
const grantor = record({ user: optional(namedEntity), privilege: optional(namedEntity) });
/** Users (with their passwords, hashed: secrets, never to be logged), roles, grants and privilege groups. */
export const rbacMeta = record({
  users: list(record({ user: text, password: text, roles: list(namedEntity) })),
  roles: list(namedEntity),
  grants: list(
    record({
      role: optional(namedEntity),
      object: optional(namedEntity),
      object_name: text,
      grantor: optional(grantor),
      db_name: text,
    }),
  ),
  privilege_groups: list(record({ group_name: text, privileges: list(namedEntity) })),
});
export type RbacMeta = Infer<typeof rbacMeta>;

export const backupInfo = record(
  {
    id: text,
    state_code: kept(int32),
    name: text,
    backup_timestamp: uint64,
    collection_backups: list(collectionBackup),
    size: kept(int64),
    milvus_version: text,
    rbac_meta: optional(rbacMeta),
    rpc_channel_info: optional(record({ name: text, position: text })),
    database_backups: list(databaseBackup),
    flush_all_msgs_base64: textMap,
    control_channel_name: text,
    physical_channel_names: list(text),
  },
  { legacy: legacyTaskState },
);
export type BackupInfo = Infer<typeof backupInfo>;

function levelInfo<T>(item: RecordCodec<T>): RecordCodec<{ infos: T[] }> {
  return record({ infos: list(item) });
}
export const collectionLevelInfo = levelInfo(collectionBackup);
export const partitionLevelInfo = levelInfo(partitionBackup);
export const segmentLevelInfo = levelInfo(segmentBackup);

/** `load_state` of collections and partitions. */
export const loadStates = ["NotLoad", "Loading", "Loaded"] as const;
export type LoadState = (typeof loadStates)[number];

/** The delta logs of a segment: one list without a field, there (as `[{}]`) even when the segment has no deletes. */
export function deltaLogsOf(logs: readonly Binlog[]): FieldBinlog[] {
  return [fieldBinlog.create({ binlogs: [...logs] })];
}

/** A partition's record with something else in the place of its segments' records. */
export type PartitionWith<S> = Omit<PartitionBackup, "segment_backups"> & { segment_backups: S[] };
/** The same of a collection. */
export type CollectionWith<S> = Omit<CollectionBackup, "partition_backups" | "l0_segments"> & {
  partition_backups: PartitionWith<S>[];
  l0_segments: S[];
};
/** The same of a backup. */
export type BackupWith<S> = Omit<BackupInfo, "collection_backups"> & {
  collection_backups: CollectionWith<S>[];
};

/** Records of databases as they may be shown: without the keys of encrypted ones. */
export function withoutKeys(databases: BackupInfo["database_backups"]): BackupInfo["database_backups"] {
  return databases.map((database) => ({ ...database, ezk: "" }));
}

/** A backup as it may be shown: without users, who come with their hashed passwords, and without the keys of encrypted databases. */
export function withoutSecrets<S>(backup: BackupWith<S>): BackupWith<S> {
  return { ...backup, rbac_meta: undefined, database_backups: withoutKeys(backup.database_backups) };
}

/** Every segment of a collection: those of its partitions, then the L0 segments of all partitions. */
export function segmentsOf<S>(collection: Pick<CollectionWith<S>, "partition_backups" | "l0_segments">): S[] {
  return [...collection.partition_backups.flatMap((partition) => partition.segment_backups), ...collection.l0_segments];
}
