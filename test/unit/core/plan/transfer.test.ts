import { expect, test } from "vitest";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import {
  type BackupInfo,
  backupInfo,
  binlog,
  collectionBackup,
  deltaLogsOf,
  fieldBinlog,
  partitionBackup,
  segmentBackup,
  segmentsOf,
} from "../../../../src/core/format/meta.ts";
import { planTransferOf } from "../../../../src/core/plan/transfer.ts";

const ids = { collection_id: 470615367219551002n, partition_id: 470615367219551003n };
const log = (id: bigint, size: bigint) =>
  binlog.create({ log_id: id, log_path: `files/insert_log/x/${id}`, log_size: size });

function backupOf(parts: Partial<Parameters<typeof collectionBackup.create>[0]>): BackupInfo {
  return backupInfo.create({
    name: "b",
    collection_backups: [collectionBackup.create({ collection_id: ids.collection_id, ...parts })],
  });
}

function plan(backup: BackupInfo) {
  const [from, to] = [backupLayout("backup", "b"), backupLayout("deep/er", "b")];
  const planned = backup.collection_backups.flatMap(segmentsOf).map((record) => planTransferOf(record, from, to));
  return planned.map(({ segment, bytes }) => ({
    id: segment.segmentId,
    bytes,
    prefixes: segment.prefixes.map(({ kind, from, to, expect: logs }) => ({ kind, from, to, logs })),
  }));
}

test("a segment keeps its group directory, its logs and its deletes", () => {
  const segment = segmentBackup.create({
    ...ids,
    segment_id: 470615367219551014n,
    group_id: 470615367219551014n,
    num_of_rows: 500n,
    size: 30n,
    binlogs: [fieldBinlog.create({ fieldID: 100n, binlogs: [log(1n, 10n), log(2n, 15n)] })],
    deltalogs: deltaLogsOf([log(3n, 5n)]),
  });
  const partition = partitionBackup.create({ ...ids, segment_backups: [segment] });

  const path = "470615367219551002/470615367219551003/470615367219551014/470615367219551014/";
  expect(plan(backupOf({ partition_backups: [partition] }))).toEqual([
    {
      id: "470615367219551014",
      bytes: 30,
      prefixes: [
        {
          kind: "insert",
          from: `backup/b/binlogs/insert_log/${path}`,
          to: `deep/er/b/binlogs/insert_log/${path}`,
          logs: [
            { path: "100/1", size: 10 },
            { path: "100/2", size: 15 },
          ],
        },
        {
          kind: "delta",
          from: `backup/b/binlogs/delta_log/${path}`,
          to: `deep/er/b/binlogs/delta_log/${path}`,
          logs: [{ path: "3", size: 5 }],
        },
      ],
    },
  ]);
});

test("a backup without groups has none at the destination either", () => {
  const segment = segmentBackup.create({
    ...ids,
    segment_id: 7n,
    num_of_rows: 1n,
    binlogs: [fieldBinlog.create({ fieldID: 0n, binlogs: [log(1n, 10n)] })],
  });
  const partition = partitionBackup.create({ ...ids, segment_backups: [segment] });

  const [planned] = plan(backupOf({ partition_backups: [partition] }));
  expect(planned?.prefixes.map(({ to }) => to)).toEqual([
    "deep/er/b/binlogs/insert_log/470615367219551002/470615367219551003/7/",
  ]);
});

test("deletes of all partitions are not left behind", () => {
  const segment = segmentBackup.create({
    collection_id: ids.collection_id,
    partition_id: -1n,
    segment_id: 9n,
    group_id: 9n,
    is_l0: true,
    deltalogs: deltaLogsOf([log(4n, 8n)]),
  });

  expect(plan(backupOf({ l0_segments: [segment] }))).toMatchObject([
    { prefixes: [{ kind: "delta", to: "deep/er/b/binlogs/delta_log/470615367219551002/-1/9/" }] },
  ]);
});
