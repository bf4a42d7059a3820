import { describe, expect, it } from "vitest";
import { metaFileNames } from "../../../../src/core/format/layout.ts";
import {
  type BackupInfo,
  backupInfo,
  collectionBackup,
  collectionSchema,
  databaseBackup,
  deltaLogsOf,
  type PartitionBackup,
  partitionBackup,
  segmentBackup,
  segmentsOf,
} from "../../../../src/core/format/meta.ts";
import {
  parseFullMeta,
  printMetas,
  readBackupMeta,
  rebuildFromLevelFiles,
  withSizes,
} from "../../../../src/core/format/meta-files.ts";
import { goldenFiles } from "../../../support/golden-backup.ts";
import { levelFiles, printedFiles } from "../../../support/level-files.ts";

const segment = (id: bigint, partition: bigint, size: bigint, isL0 = false) =>
  segmentBackup.create({
    segment_id: id,
    collection_id: 1n,
    partition_id: partition,
    size,
    is_l0: isL0,
    group_id: partition < 0n ? 0n : id,
    deltalogs: deltaLogsOf([]),
  });

/** One collection with two partitions, an L0 segment in one of them and one for all; sizes not added up. */
const backup = backupInfo.create({
  id: "3bceac12",
  name: "b1",
  milvus_version: "v2.5.0",
  database_backups: [databaseBackup.create({ db_name: "shop", properties: [{ key: "k", value: "v" }] })],
  collection_backups: [
    collectionBackup.create({
      collection_id: 1n,
      db_name: "shop",
      collection_name: "coll",
      schema: collectionSchema.create({ name: "coll" }),
      partition_backups: [
        partitionBackup.create({
          partition_id: 10n,
          collection_id: 1n,
          segment_backups: [segment(100n, 10n, 5n), segment(101n, 10n, 7n, true)],
        }),
        partitionBackup.create({ partition_id: 11n, collection_id: 1n, segment_backups: [segment(102n, 11n, 11n)] }),
      ],
      l0_segments: [segment(103n, -1n, 13n, true)],
    }),
  ],
});

const { full_meta: goldenFull, ...goldenLevels } = goldenFiles;

describe("printMetas", () => {
  it.each(metaFileNames)("prints %s.json of the golden backup byte for byte", async (name) => {
    // act
    const files = await printedFiles(parseFullMeta(goldenFull).value);

    // assess
    expect(files[name]).toBe(goldenFiles[name]);
  });

  it("leaves out of the flat files what they do not hold", async () => {
    // act
    const files = await printedFiles(backup);

    // assess
    expect(files.backup_meta).toBe('{"id":"3bceac12","state_code":0,"name":"b1","size":36,"milvus_version":"v2.5.0"}');
    expect(files.collection_meta).toContain('"partition_backups":[{"partition_id":10,"collection_id":1,"size":12}');
    expect(files.collection_meta).not.toContain("segment");
    expect(files.partition_meta).not.toContain("segment");
    expect(files.segment_meta).toContain('"segment_id":101');
    expect(files.segment_meta).not.toContain('"segment_id":103');
    expect(files.full_meta).toContain('"l0_segments":[{"segment_id":103');
  });

  it("prints {} for a level that has nothing", async () => {
    // act
    const files = await printedFiles(backupInfo.create({ name: "nothing" }));

    // assess
    expect([files.collection_meta, files.partition_meta, files.segment_meta]).toEqual(["{}", "{}", "{}"]);
  });

  it("refuses a segment that does not come with the others of its partition", async () => {
    const [collection = expect.fail()] = backup.collection_backups;
    const turned = { ...collection, partition_backups: [...collection.partition_backups].reverse() };
    const segments = segmentsOf(collection);
    const pieces = printMetas(
      backup,
      each([
        { record: { ...turned, partition_backups: turned.partition_backups.map(emptied) }, segments: each(segments) },
      ]),
    );

    const readAll = async () => {
      for await (const piece of pieces) expect(piece.file).toMatch(/_meta$/);
    };
    await expect(readAll()).rejects.toMatchObject({
      name: "CopyMismatch",
      message: expect.stringMatching(/segment 102 .* partition 11 .* 1,/),
    });
  });
});

describe("withSizes", () => {
  it("adds up segments into partitions, collections (with L0 of all partitions) and the backup", () => {
    // act
    const sized = withSizes(backup);

    // assess
    const collection = sized.collection_backups[0];
    expect(collection?.partition_backups.map((partition) => partition.size)).toEqual([12n, 11n]);
    expect(collection?.size).toBe(36n);
    expect(sized.size).toBe(36n);
  });

  it("changes nothing in the golden backup, which milvus-backup added up", () => {
    const golden = parseFullMeta(goldenFull).value;
    expect(withSizes(golden)).toEqual(golden);
  });
});

describe("rebuildFromLevelFiles", () => {
  it("rebuilds the golden backup, with the loud warning", () => {
    // act
    const { backup: rebuilt, warnings } = rebuildFromLevelFiles(goldenLevels);

    // assess
    const golden = parseFullMeta(goldenFull).value;
    expect(rebuilt).toEqual(golden);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/full_meta\.json is missing.*L0 segments.*rows deleted.*databases.*users/);
  });

  it("loses what the level files do not hold: L0 of all partitions and properties of databases", () => {
    // act
    const { backup: rebuilt } = rebuildFromLevelFiles(levelFiles(withSizes(backup)));

    // assess
    expect(rebuilt.collection_backups[0]?.l0_segments).toEqual([]);
    expect(rebuilt.database_backups).toEqual([databaseBackup.create({ db_name: "shop" })]);
    expect(rebuilt.collection_backups[0]?.partition_backups).toEqual(
      withSizes(backup).collection_backups[0]?.partition_backups,
    );
    expect(rebuilt.size).toBe(23n);
  });

  it("does not mix partitions of the same ID in two collections", () => {
    // prepare
    const [first] = backup.collection_backups;
    const other = collectionBackup.create({
      collection_id: 2n,
      schema: collectionSchema.zero(),
      partition_backups: [partitionBackup.create({ partition_id: 10n, collection_id: 2n })],
    });

    // act
    const files = levelFiles({ ...backup, collection_backups: first ? [first, other] : [] });
    const { backup: rebuilt } = rebuildFromLevelFiles(files);

    // assess
    const segments = rebuilt.collection_backups.map((collection) =>
      collection.partition_backups.map((partition) => partition.segment_backups.length),
    );
    expect(segments).toEqual([[2, 1], [0]]);
  });

  it("refuses segments whose partition is not there", () => {
    expect(() => rebuildFromLevelFiles({ ...goldenLevels, partition_meta: "{}" })).toThrow(
      expect.objectContaining({
        name: "CorruptBackup",
        message: expect.stringMatching(/segment_meta\.json: segment 470615367219551014 .* partition_meta\.json/),
      }),
    );
  });

  it("refuses partitions whose collection is not there", () => {
    expect(() => rebuildFromLevelFiles({ ...goldenLevels, collection_meta: "{}" })).toThrow(
      expect.objectContaining({ name: "CorruptBackup", message: expect.stringContaining("partition_meta.json") }),
    );
  });

  it("names the level file that is corrupt", () => {
    expect(() => rebuildFromLevelFiles({ ...goldenLevels, segment_meta: '{"infos":[' })).toThrow(
      expect.objectContaining({ name: "CorruptBackup", message: expect.stringContaining("segment_meta.json") }),
    );
  });
});

describe("readBackupMeta", () => {
  const namesOf = ({ collection_backups }: BackupInfo) =>
    collection_backups.map((collection) => collection.collection_name);

  it("reads full_meta.json alone where it is there", () => {
    // act
    const { backup: read, warnings } = readBackupMeta({ full_meta: goldenFull });

    // assess
    expect(namesOf(read)).toEqual(["by_tenant", "empty", "all_types", "auto_ids"]);
    expect(warnings).toEqual([]);
  });

  it("never falls back to the level files from a corrupt full_meta.json", () => {
    expect(() => readBackupMeta({ ...goldenFiles, full_meta: goldenFull.slice(0, -1) })).toThrow(
      expect.objectContaining({ name: "CorruptBackup", message: expect.stringContaining("full_meta.json") }),
    );
    expect(() => readBackupMeta({ ...goldenFiles, full_meta: "" })).toThrow(
      expect.objectContaining({ name: "CorruptBackup" }),
    );
  });

  it("reads the four level files together where it is not there", () => {
    // act
    const { backup: read, warnings } = readBackupMeta(goldenLevels);

    // assess
    expect(namesOf(read)).toEqual(["by_tenant", "empty", "all_types", "auto_ids"]);
    expect(warnings).toHaveLength(1);
  });

  it("names every missing level file", () => {
    const { backup_meta, segment_meta } = goldenFiles;
    expect(() => readBackupMeta({ backup_meta, segment_meta })).toThrow(
      expect.objectContaining({
        name: "CorruptBackup",
        message: expect.stringContaining("collection_meta.json, partition_meta.json, full_meta.json missing"),
      }),
    );
  });

  it("says that there is no backup where there is no meta file at all", () => {
    expect(() => readBackupMeta({})).toThrow(expect.objectContaining({ name: "BackupNotFound" }));
  });
});

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

function emptied(partition: PartitionBackup): PartitionBackup {
  return { ...partition, segment_backups: [] };
}
