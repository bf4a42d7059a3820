import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  backupLayout,
  backupsRoot,
  milvusLayout,
  parseLogKey,
  stagingLayout,
} from "../../../../src/core/format/layout.ts";
import { segmentsOf } from "../../../../src/core/format/meta.ts";
import { parseFullMeta } from "../../../../src/core/format/meta-files.ts";
import { goldenFiles } from "../../../support/golden-backup.ts";

const segment = { collectionId: "1", partitionId: "2", segmentId: "3" };

describe("backupLayout", () => {
  const layout = backupLayout("backup", "nightly");

  it("puts the five metas below meta/", () => {
    expect(Object.values(layout.meta)).toEqual([
      "backup/nightly/meta/backup_meta.json",
      "backup/nightly/meta/collection_meta.json",
      "backup/nightly/meta/partition_meta.json",
      "backup/nightly/meta/segment_meta.json",
      "backup/nightly/meta/full_meta.json",
    ]);
  });

  it("has no other key that begins with that of full_meta.json, or lies among the metas", () => {
    for (const key of [layout.manifest, layout.manifestPart("1", 0), layout.binlogs]) {
      expect(key.startsWith(layout.root)).toBe(true);
      expect(key.startsWith(layout.metas)).toBe(false);
    }
  });

  it("puts a segment below its group", () => {
    expect(layout.insertLogs({ ...segment, groupId: "3" })).toBe("backup/nightly/binlogs/insert_log/1/2/3/3/");
    expect(layout.deltaLogs({ ...segment, groupId: "3" })).toBe("backup/nightly/binlogs/delta_log/1/2/3/3/");
  });

  it("puts segments of a shared group (v0.4) into one directory", () => {
    // act
    const first = layout.insertLogs({ ...segment, groupId: "9" });
    const second = layout.insertLogs({ ...segment, segmentId: "4", groupId: "9" });

    // assess
    const group = layout.insertGroup({ ...segment, groupId: "9" });
    expect(group).toBe("backup/nightly/binlogs/insert_log/1/2/9/");
    expect([first, second]).toEqual([`${group}3/`, `${group}4/`]);
    expect(layout.deltaGroup({ ...segment, groupId: "9" })).toBe("backup/nightly/binlogs/delta_log/1/2/9/");
  });

  it("has no group level for group 0: the partition's directory is the group's", () => {
    expect(layout.insertLogs({ ...segment, groupId: "0" })).toBe("backup/nightly/binlogs/insert_log/1/2/3/");
    expect(layout.insertGroup({ ...segment, groupId: "0" })).toBe("backup/nightly/binlogs/insert_log/1/2/");
  });

  it("has no group level for L0 segments of all partitions", () => {
    const global = { collectionId: "1", partitionId: "-1", segmentId: "3", groupId: "3" };
    expect(layout.deltaLogs(global)).toBe("backup/nightly/binlogs/delta_log/1/-1/3/");
  });

  it("takes an empty root path and stray slashes", () => {
    expect(backupLayout("", "b").meta.full_meta).toBe("b/meta/full_meta.json");
    expect(backupLayout("/a/b/", "b").root).toBe("a/b/b/");
    expect(backupsRoot("")).toBe("");
    expect(backupsRoot("backup")).toBe("backup/");
  });

  it("gives exactly the keys of the golden backup's logs", () => {
    // prepare
    const golden = backupLayout("", "golden");
    const backup = parseFullMeta(goldenFiles.full_meta).value;

    // act
    const expected = backup.collection_backups.flatMap(segmentsOf).flatMap((record) => {
      const path = {
        collectionId: String(record.collection_id),
        partitionId: String(record.partition_id),
        segmentId: String(record.segment_id),
        groupId: String(record.group_id),
      };
      return [
        ...record.binlogs.flatMap(({ fieldID, binlogs }) =>
          binlogs.map(({ log_id }) => `${golden.insertLogs(path)}${fieldID}/${log_id}`),
        ),
        ...record.deltalogs.flatMap(({ binlogs }) => binlogs.map(({ log_id }) => `${golden.deltaLogs(path)}${log_id}`)),
      ];
    });

    // assess
    const tree = new URL("../../../fixtures/milvus-backup-0.5.16/", import.meta.url);
    const found = readdirSync(tree, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => `golden/${`${entry.parentPath}/${entry.name}`.split("milvus-backup-0.5.16/")[1]}`)
      .filter((key) => key.includes("/binlogs/"));
    expect(expected.toSorted()).toEqual(found.map((key) => key.replace("//", "/")).toSorted());
  });
});

describe("milvusLayout", () => {
  it("gives Milvus's own prefixes", () => {
    const layout = milvusLayout("files");
    expect(layout.insertLogs(segment)).toBe("files/insert_log/1/2/3/");
    expect(layout.deltaLogs({ ...segment, partitionId: "-1" })).toBe("files/delta_log/1/-1/3/");
    expect(layout.collectionInsertLogs("1")).toBe("files/insert_log/1/");
    expect(milvusLayout("").insertLogs(segment)).toBe("insert_log/1/2/3/");
  });
});

describe("stagingLayout", () => {
  const staging = stagingLayout("r1");

  it("gives a merged import two directories whose children are its segments", () => {
    // act
    const task = staging.task(7, segment);

    // assess
    expect(task.insert).toBe("milvus-backup-staging/r1/t7/insert_log/1/2/");
    expect(task.delta).toBe("milvus-backup-staging/r1/t7/delta_log/1/2/");
    expect(task.insertLogs("3")).toBe(`${task.insert}3/`);
    expect(task.deltaLogs("3")).toBe(`${task.delta}3/`);
  });

  it("gives each pair of a REST job directories of its own", () => {
    // act
    const [first, second] = [staging.pair(7, segment), staging.pair(7, { ...segment, segmentId: "33" })];

    // assess
    expect(first.insert).toBe("milvus-backup-staging/r1/t7/insert_log/1/2/3/");
    expect(first.insertLogs).toBe("milvus-backup-staging/r1/t7/insert_log/1/2/3/3/");
    expect(first.deltaLogs.startsWith(first.delta)).toBe(true);
    expect(second.insert.startsWith(first.insert)).toBe(false);
  });

  it("keeps two restores apart", () => {
    expect(stagingLayout("r10").root.startsWith(staging.root)).toBe(false);
  });
});

describe("parseLogKey", () => {
  it.each([
    ["files/insert_log/1/2/3/100/5", { kind: "insert", groupId: "0", fieldId: "100", logId: "5" }],
    ["insert_log/1/2/3/0/5", { kind: "insert", groupId: "0", fieldId: "0", logId: "5" }],
    ["backup/b/binlogs/insert_log/1/2/9/3/100/5", { kind: "insert", groupId: "9", fieldId: "100", logId: "5" }],
    ["files/delta_log/1/2/3/5", { kind: "delta", groupId: "0", logId: "5" }],
    ["backup/b/binlogs/delta_log/1/2/9/3/5", { kind: "delta", groupId: "9", logId: "5" }],
    ["backup/b/binlogs/delta_log/1/-1/3/5", { kind: "delta", groupId: "0", logId: "5", partitionId: "-1" }],
    ["insert_log/insert_log/1/2/3/100/5", { kind: "insert", groupId: "0", fieldId: "100", logId: "5" }],
  ])("reads %s", (key, expected) => {
    expect(parseLogKey(key)).toEqual({ ...segment, ...expected });
  });

  it.each([
    "files/stats_log/1/2/3/100/5",
    "files/insert_log/1/2/3/100/",
    "files/insert_log/1/2/3/100/x",
    "files/insert_log/1/-1/3/100/5",
    "files/my_insert_log/1/2/3/100/5",
    "files/delta_log/1/2/5",
    "backup/b/meta/full_meta.json",
  ])("answers undefined for %s", (key) => {
    expect(parseLogKey(key)).toBeUndefined();
  });
});
