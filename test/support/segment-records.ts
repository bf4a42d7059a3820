import {
  binlog,
  type CollectionBackup,
  collectionBackup,
  deltaLogsOf,
  fieldBinlog,
  partitionBackup,
  type SegmentBackup,
  segmentBackup,
} from "../../src/core/format/meta.ts";

const recordIds = { collection: 100n, partition: 200n } as const;

/** A segment's record with one log for each of the fields 0, 1, 100, of `bytes` together. */
export function segmentRecord(
  id: number,
  options: {
    rows?: number;
    bytes?: number;
    group?: number;
    deletes?: boolean;
    isL0?: boolean;
    partition?: bigint;
    storageVersion?: number;
    logsPerField?: number;
  } = {},
): SegmentBackup {
  const { rows = 100, bytes = 3000, group = id, deletes = false, isL0 = false, storageVersion = 0 } = options;
  const { partition = recordIds.partition, logsPerField = 1 } = options;
  const path = `${recordIds.collection}/${partition}/${id}`;
  const log = (kind: string, name: number) =>
    binlog.create({ log_path: `files/${kind}/${path}/${name}`, log_id: BigInt(name), log_size: 10n });
  return segmentBackup.create({
    segment_id: BigInt(id),
    collection_id: recordIds.collection,
    partition_id: partition,
    num_of_rows: BigInt(rows),
    binlogs: isL0
      ? []
      : [0n, 1n, 100n].map((fieldID) =>
          fieldBinlog.create({
            fieldID,
            binlogs: Array.from({ length: logsPerField }, (_, index) => log(`insert_log/${fieldID}`, 1000 + index)),
          }),
        ),
    deltalogs: deltaLogsOf(deletes || isL0 ? [log("delta_log", 2000)] : []),
    size: BigInt(bytes),
    group_id: BigInt(group),
    is_l0: isL0,
    storage_version: BigInt(storageVersion),
  });
}

/** A collection's record with one partition, `_default`, that holds the segments. */
export function collectionRecord(
  segments: readonly SegmentBackup[],
  rest: Partial<CollectionBackup> = {},
): CollectionBackup {
  return collectionBackup.create({
    collection_id: recordIds.collection,
    collection_name: "coll",
    partition_backups: [
      partitionBackup.create({
        partition_id: recordIds.partition,
        partition_name: "_default",
        collection_id: recordIds.collection,
        segment_backups: [...segments],
      }),
    ],
    ...rest,
  });
}
