import {
  type BackupInfo,
  collectionSchema,
  databaseBackup,
  indexInfo,
  keyValuePair,
  withoutKeys,
} from "../../src/core/format/meta.ts";
import type { Infer } from "../../src/core/format/meta-codec.ts";
import {
  bool,
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
} from "../../src/core/format/meta-codec.ts";

/**
 * The answers of milvus-backup 0.5.16's REST API, as Go's encoding/json prints them: a field that is zero is left out unless it is `kept`, also
 * `code` of a success; 64-bit numbers are bare digits. Times are seconds of Unix time, sizes bytes.
 */

/** `code` of an answer. milvus-backup sends it with HTTP 200. */
export const codes = {
  success: 0,
  notSupported: 1,
  noPermission: 2,
  fail: 3,
  parameterError: 400,
  notFound: 404,
} as const;
export type Code = (typeof codes)[keyof typeof codes];

/** `state_code` of a backup, and of a restore: BACKUP_INITIAL is 0, RestoreTaskStateCode_TIMEOUT 4. */
export const stateCodes = { initial: 0, executing: 1, success: 2, fail: 3, timeout: 4 } as const;

const head = { requestId: text, code: int32, msg: text };

const task = {
  id: text,
  state_code: kept(int32),
  errorMessage: text,
  start_time: int64,
  end_time: int64,
  progress: kept(int32),
};

const collectionBrief = record({
  id: text,
  collection_id: int64,
  db_name: text,
  collection_name: text,
  schema: optional(collectionSchema),
  shards_num: int32,
  backup_timestamp: uint64,
  size: kept(int64),
  has_index: kept(bool),
  index_infos: list(indexInfo),
  load_state: text,
  backup_physical_timestamp: uint64,
  channel_checkpoints: textMap,
  properties: list(keyValuePair),
});

export const backupBrief = record({
  ...task,
  name: text,
  backup_timestamp: uint64,
  collection_backups: list(collectionBrief),
  size: kept(int64),
  milvus_version: text,
  rpc_channel_info: optional(record({ name: text, position: text })),
  database_backups: list(databaseBackup),
  meta_size: kept(int64),
});
export type BackupBrief = Infer<typeof backupBrief>;

export const collectionTask = record({ ...task, target_db_name: text, target_collection_name: text });

export const restoreTask = record({ ...task, collection_restore_tasks: list(collectionTask) });
export type RestoreTask = Infer<typeof restoreTask>;

const backupSummary = record({ id: text, name: text, size: kept(int64), milvus_version: text });

export const backupAnswer = record({ ...head, data: kept(optional(backupBrief)) });
export const restoreAnswer = record({ ...head, data: kept(optional(restoreTask)) });
export const listAnswer = record({ ...head, data: kept(optional(list(backupSummary))) });
export const deleteAnswer = record(head);

/** Every answer has these. */
export type Answer = Infer<typeof deleteAnswer>;
export type AnswerCodec<T extends Answer> = RecordCodec<T>;

/** What the metas of a backup say, without its partitions and segments. */
export function describeMetas(
  backup: Pick<
    BackupInfo,
    "id" | "name" | "backup_timestamp" | "size" | "milvus_version" | "rpc_channel_info" | "database_backups"
  > & { readonly collection_backups: readonly Infer<typeof collectionBrief>[] },
): Partial<BackupBrief> {
  const { id, name, backup_timestamp, size, milvus_version, rpc_channel_info, database_backups } = backup;
  return {
    ...{ id, name, backup_timestamp, size, milvus_version, rpc_channel_info },
    // milvus-backup's answer has them
    database_backups: withoutKeys(database_backups),
    collection_backups: backup.collection_backups.map((collection) => collectionBrief.create(collection)),
  };
}
