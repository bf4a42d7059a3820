import { beforeEach, describe, expect, test } from "vitest";
import { backupLayout, metaFileNames } from "../../../../src/core/format/layout.ts";
import type { CollectionWith, PartitionWith, SegmentBackup } from "../../../../src/core/format/meta.ts";
import { readBackupMeta } from "../../../../src/core/format/meta-files.ts";
import { StoredBackup } from "../../../../src/steps/shared/stored-backup.ts";
import { collected } from "../../../support/collected.ts";
import { goldenFiles } from "../../../support/golden-backup.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";
import { outlineOf } from "../../../support/outlines.ts";

const layout = backupLayout("backup", "golden");

let store: MemoryObjectStore;
let stored: StoredBackup;

beforeEach(() => {
  store = new MemoryObjectStore();
  for (const name of metaFileNames) store.seed(layout.meta[name], goldenFiles[name]);
  stored = new StoredBackup(store, { rootPath: "backup" }, "golden");
});

/** Which segments stand where, without their numbers: the readers may come by them in another order. */
function withoutOrdinals({ collection_backups }: { collection_backups: readonly CollectionWith<object>[] }) {
  const bare = (segment: object) => ({ ...segment, ordinal: 0 });
  const partition = (record: PartitionWith<object>) => ({
    ...record,
    segment_backups: record.segment_backups.map(bare),
  });
  return collection_backups.map((collection) => ({
    ...collection,
    partition_backups: collection.partition_backups.map(partition),
    l0_segments: collection.l0_segments.map(bare),
  }));
}

describe("the outline of a backup", () => {
  test.each([
    ["full_meta.json", []],
    ["the level files", ["full_meta" as const]],
  ])("from %s is the backup without its segments' logs", async (_, removed) => {
    for (const name of removed) store.remove(layout.meta[name]);
    const { full_meta, ...level } = goldenFiles;
    const whole = readBackupMeta(removed.length > 0 ? level : { full_meta });

    const { backup, complete, warnings } = await (await stored.streamMetas()).outline();

    expect({ complete, warnings }).toEqual({ complete: removed.length === 0, warnings: whole.warnings });
    expect(withoutOrdinals(backup)).toEqual(
      withoutOrdinals({ collection_backups: whole.backup.collection_backups.map(outlineOf) }),
    );
    expect(backup).toMatchObject({ id: whole.backup.id, name: whole.backup.name, size: whole.backup.size });
  });

  test("numbers the segments as they pass by, each time alike", async () => {
    const metas = await stored.streamMetas();
    const { backup } = await metas.outline();

    const segments: SegmentBackup[] = (await collected(metas.segments())).map(({ segment }) => segment);

    const briefs = backup.collection_backups.flatMap((collection) => [
      ...collection.partition_backups.flatMap(({ segment_backups }) => segment_backups),
      ...collection.l0_segments,
    ]);
    expect(briefs.length).toBeGreaterThan(10);
    for (const { ordinal, segment_id } of briefs) expect(segments[ordinal]?.segment_id).toBe(segment_id);
  });
});

describe("a backup without some of its metas", () => {
  test("is none where all are missing", async () => {
    for (const name of metaFileNames) store.remove(layout.meta[name]);

    await expect(stored.streamMetas()).rejects.toMatchObject({ name: "BackupNotFound" });
  });

  test("is corrupt where a level file is missing too, and names it", async () => {
    store.remove(layout.meta.full_meta);
    store.remove(layout.meta.segment_meta);

    await expect(stored.streamMetas()).rejects.toMatchObject({
      name: "CorruptBackup",
      message: expect.stringContaining("segment_meta.json"),
    });
  });

  test("is corrupt where a segment's partition is in no file", async () => {
    store.remove(layout.meta.full_meta);
    store.seed(layout.meta.segment_meta, '{"infos":[{"segment_id":5,"partition_id":6,"collection_id":7}]}');

    await expect((await stored.streamMetas()).outline()).rejects.toMatchObject({
      name: "CorruptBackup",
      message: expect.stringContaining("segment 5 belongs to partition 6 of collection 7"),
    });
  });
});

describe("metas that change while they are read", () => {
  const other = goldenFiles.full_meta.replace('"num_of_rows":', '"num_of_rows" :');

  test.each([
    ["replaced by others", (): void => store.seed(layout.meta.full_meta, other)],
    ["deleted", (): void => store.remove(layout.meta.full_meta)],
  ])("%s between two readings: the second one stops and says so", async (_, change) => {
    const metas = await stored.streamMetas();
    await metas.outline();

    change();

    await expect(collected(metas.segments())).rejects.toMatchObject({
      name: "CopyMismatch",
      message: expect.stringMatching(/^backup golden in memory .* was replaced or deleted while it was read/),
    });
  });

  test("replaced in a store that knows no conditions: the end of the second reading tells", async () => {
    const reader = store.readText.bind(store);
    store.readText = (key) => reader(key);
    const metas = await stored.streamMetas();
    await metas.outline();

    store.seed(layout.meta.full_meta, other);

    await expect(collected(metas.segments())).rejects.toMatchObject({ name: "CopyMismatch" });
  });
});
