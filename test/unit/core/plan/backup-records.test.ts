import { describe, expect, test } from "vitest";
import type { CopiedLog, SegmentReceipt } from "../../../../src/core/execution/copy-plan.ts";
import { type BackupInfo, backupInfo, segmentsOf } from "../../../../src/core/format/meta.ts";
import { parseFullMeta, withSizes } from "../../../../src/core/format/meta-files.ts";
import type { BackupPlan, PlannedCollection, PlannedSegment } from "../../../../src/core/plan/backup.ts";
import {
  backupRecord,
  collectionRecord,
  inPartitionOrder,
  segmentRecord,
} from "../../../../src/core/plan/backup-records.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { goldenFiles } from "../../../support/golden-backup.ts";
import { levelFiles } from "../../../support/level-files.ts";

const id = "470615367219551002";
const partition = "470615367219551003";

function planned(segmentId: string, rest: Partial<PlannedSegment> = {}): PlannedSegment {
  return {
    id: segmentId,
    partitionId: partition,
    rows: "10",
    isL0: false,
    storageVersion: "0",
    virtualChannel: "",
    ...rest,
  };
}

function plan(segments: readonly PlannedSegment[]): BackupPlan {
  return {
    backupName: "nightly",
    backupId: "11111111-2222-8333-8444-555555555555",
    attempt: 0,
    milvusVersion: "v2.3.5",
    databases: [{ name: "default", id: "0", properties: [] }],
    collections: [{ id, name: "default.coll", index: 0, attempt: 0, segments: segments.length }],
    warnings: [],
    totals: { collections: 1, segments: segments.length, rows: "10" },
  };
}

/** All records of a backup, put together. */
function build(segments: readonly PlannedSegment[], receipts: readonly SegmentReceipt[]): BackupInfo {
  const collection: PlannedCollection = {
    description: collectionDescription("coll", { id, databaseId: "0" }),
    partitions: [{ id: partition, name: "_default", loadState: "Loaded" }],
    indexes: [],
    loadState: "Loaded",
    flushed: {
      segmentIds: [],
      sealedIds: [],
      timestamp: "470616978630901767",
      channelTimestamp: "0",
      sealTime: 1700553600,
      channelCheckpoints: {},
    },
    instant: { timestamp: "470616978630901767", time: "2026-11-21T11:03:07.000Z" },
    segments,
  };
  const records = segments.map((segment) => {
    const left = receipts.find(({ segmentId }) => segmentId === segment.id) ?? expect.fail();
    return segmentRecord(id, segment, left);
  });
  const record = collectionRecord(plan(segments).backupId, collection);
  return withSizes({
    ...backupRecord(plan(segments)),
    collection_backups: [
      {
        ...record,
        partition_backups: record.partition_backups.map((it) => ({
          ...it,
          segment_backups: records.filter(({ partition_id }) => partition_id === it.partition_id),
        })),
        l0_segments: records.filter(({ partition_id }) => partition_id < 0n),
      },
    ],
  });
}

function copied(key: string, size: number): CopiedLog {
  return { from: `files/${key}`, key: `backup/nightly/binlogs/${key}`, size, etag: "e" };
}

function receipt(segmentId: string, rest: Partial<SegmentReceipt> = {}): SegmentReceipt {
  const logs = ["0", "1", "100", "101"].map((field) =>
    copied(`insert_log/${id}/${partition}/${segmentId}/${field}/9`, 100),
  );
  return {
    collectionId: id,
    partitionId: partition,
    segmentId,
    outcome: "copied",
    insertLogs: logs,
    deltaLogs: [],
    ...rest,
  };
}

describe("the records of a backup", () => {
  test("have segments by partition, as they were listed within each, and those of all partitions last", () => {
    const segments = [planned("9", { partitionId: "2" }), planned("8", { partitionId: "-1" })];
    const more = [planned("7", { partitionId: "1" }), planned("6", { partitionId: "2" })];

    const ordered = inPartitionOrder([...segments, ...more], [{ id: "1" }, { id: "2" }]);

    expect(ordered.map((segment) => segment.id)).toEqual(["7", "9", "6", "8"]);
  });

  test("adds up sizes from the logs to the whole backup, keeps 64-bit IDs and gives each segment its own group", () => {
    const backup = build([planned("470615367219551010")], [receipt("470615367219551010")]);

    const [collection] = backup.collection_backups;
    const [segment] = collection?.partition_backups[0]?.segment_backups ?? [];
    expect([backup.size, collection?.size, collection?.partition_backups[0]?.size, segment?.size]).toEqual([
      400n,
      400n,
      400n,
      400n,
    ]);
    expect(segment).toMatchObject({ segment_id: 470615367219551010n, group_id: 470615367219551010n, num_of_rows: 10n });
    expect(segment?.binlogs.map(({ fieldID }) => fieldID)).toEqual([0n, 1n, 100n, 101n]);
    expect(segment?.binlogs[0]?.binlogs[0]?.log_path).toBe(
      `files/insert_log/${id}/${partition}/470615367219551010/0/9`,
    );
  });

  test("orders logs by field and ID, in whatever order they were copied", () => {
    const log = (field: string, name: string) => copied(`insert_log/${id}/${partition}/7/${field}/${name}`, 1);
    const logs = [log("101", "9"), log("100", "10"), log("0", "1"), log("100", "9")];

    const of = (insertLogs: CopiedLog[]) => build([planned("7")], [receipt("7", { insertLogs })]);

    const [segment] = segmentsOf(of(logs).collection_backups[0] ?? expect.fail());
    expect(segment?.binlogs.map(({ fieldID, binlogs }) => [fieldID, binlogs.map(({ log_id }) => log_id)])).toEqual([
      [0n, [1n]],
      [100n, [9n, 10n]],
      [101n, [9n]],
    ]);
    expect(levelFiles(of([...logs].reverse()))).toEqual(levelFiles(of(logs)));
  });

  test("L0 segments of all partitions stand beside the partitions, without a group", () => {
    const l0 = planned("8", { partitionId: "-1", isL0: true, rows: "0" });
    const deltaLogs = [copied(`delta_log/${id}/-1/8/5`, 50)];

    const backup = build(
      [planned("7"), l0],
      [receipt("7"), receipt("8", { partitionId: "-1", insertLogs: [], deltaLogs })],
    );

    const [collection] = backup.collection_backups;
    expect(collection?.l0_segments).toMatchObject([
      { segment_id: 8n, partition_id: -1n, group_id: 0n, is_l0: true, size: 50n },
    ]);
    expect(collection?.size).toBe(450n);
    expect(levelFiles(backup).segment_meta).not.toContain('"segment_id":8');
  });

  test("a copied file that is no log is never put into a backup", () => {
    const insertLogs = [copied(`insert_log/${id}/${partition}/7/100/tmp.part`, 1)];

    expect(() => build([planned("7")], [receipt("7", { insertLogs })])).toThrow(/tmp\.part was copied as a log/);
  });

  test("has the keys of the real backup that milvus-backup wrote, in every record", () => {
    const ours = JSON.parse(levelFiles(build([planned("7")], [receipt("7")])).full_meta);
    const theirs = JSON.parse(goldenFiles.full_meta);
    // milvus-backup has a timestamp from Milvus 2.4 on only, from its channel checkpoints.
    theirs.collection_backups[0].backup_timestamp = 0;
    const known = keysByRecord(theirs);

    for (const [record, keys] of keysByRecord(ours))
      expect([...(known.get(record) ?? [])]).toEqual(expect.arrayContaining([...keys]));
    expect(parseFullMeta(JSON.stringify(ours)).warnings).toEqual([]);
  });

  test("writes a segment without deletes as milvus-backup does", () => {
    const { full_meta } = levelFiles(build([planned("7")], [receipt("7")]));

    expect(full_meta).toContain('"deltalogs":[{}]');
  });
});

/** The keys of each kind of record, by where it stands. */
function keysByRecord(value: unknown, path = "", found = new Map<string, Set<string>>()): Map<string, Set<string>> {
  if (Array.isArray(value)) for (const item of value) keysByRecord(item, `${path}[]`, found);
  else if (typeof value === "object" && value !== null) {
    const keys = found.get(path) ?? new Set();
    for (const [key, inner] of Object.entries(value)) {
      keys.add(key);
      keysByRecord(inner, `${path}.${key}`, found);
    }
    found.set(path, keys);
  }
  return found;
}

test("the record of a backup is printed as milvus-backup 0.5.16 prints it, with what CDC and encryption need", () => {
  const record = backupRecord({
    ...{ backupName: "nightly", backupId: "i", milvusVersion: "2.6.12" },
    databases: [
      { name: "default", id: "1", properties: [] },
      { name: "vault", id: "470615367219551002", properties: [{ key: "cipher.key", value: "k<&>" }] },
    ],
    encryptionKeys: new Map([["vault", "ZWs+/=="]]),
    rpcChannel: { name: "by-dev-replicate-msg", position: "cG9z" },
    serverFlush: {
      messages: { dml_1: "YQ==", dml_0: "Yg==" },
      controlChannel: "dml_0_vcchan",
      physicalChannels: ["dml_0", "dml_1"],
    },
  });

  // printed by Go's encoding/json from milvus-backup's own struct
  expect(backupInfo.print(record)).toBe(
    '{"id":"i","state_code":0,"name":"nightly","size":0,"milvus_version":"2.6.12","rpc_channel_info":{"name":"by-dev-replicate-msg","position":"cG9z"},' +
      '"database_backups":[{"db_name":"default","db_id":1},{"db_name":"vault","db_id":470615367219551002,"properties":[{"key":"cipher.key","value":"k\\u003c\\u0026\\u003e"}],"ezk":"ZWs+/=="}],' +
      '"flush_all_msgs_base64":{"dml_0":"Yg==","dml_1":"YQ=="},"control_channel_name":"dml_0_vcchan","physical_channel_names":["dml_0","dml_1"]}',
  );
});
