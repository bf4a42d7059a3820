import { beforeEach, describe, expect, test } from "vitest";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { getBackup, outlineBackup } from "../../../../src/steps/catalog/get-backup.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";
import { seedBackup } from "../../../support/seed-backup.ts";

let store: MemoryObjectStore;

beforeEach(() => {
  store = new MemoryObjectStore("bucket-b");
});

describe.each([
  ["getBackup", getBackup],
  ["outlineBackup", outlineBackup],
])("%s", (_, read) => {
  test("reads the full meta", async () => {
    seedBackup(store, "golden");

    const { backup, complete, warnings } = await read(store, "backup", "golden");

    expect(complete).toBe(true);
    expect(warnings).toEqual([]);
    expect(backup.collection_backups[0]?.collection_id).toBe(470615367219551002n);
  });

  test("rebuilds it from the level files with a warning", async () => {
    seedBackup(store, "golden", { without: ["full_meta"] });

    const { backup, complete, warnings } = await read(store, "backup", "golden");

    expect(complete).toBe(false);
    expect(warnings.join()).toContain("full_meta.json is missing");
    expect(backup.collection_backups).toHaveLength(4);
  });

  test("never falls back where the full meta is corrupt, and says of which backup it is", async () => {
    seedBackup(store, "golden");
    store.seed(backupLayout("backup", "golden").meta.full_meta, "{");

    await expect(read(store, "backup", "golden")).rejects.toMatchObject({
      name: "CorruptBackup",
      message: expect.stringMatching(
        /^backup golden in bucket-b\b.* under backup\/golden\/: full_meta\.json is no valid JSON: line 1, column 2/,
      ),
    });
  });

  test("names the backup of which level files are missing", async () => {
    seedBackup(store, "golden");
    const { meta } = backupLayout("backup", "golden");
    for (const key of [meta.full_meta, meta.segment_meta]) store.remove(key);

    await expect(read(store, "backup", "golden")).rejects.toMatchObject({
      name: "CorruptBackup",
      message: expect.stringMatching(/^backup golden in bucket-b\b.* under backup\/golden\/: .*segment_meta\.json/),
    });
  });

  test.each([
    ["golden", "BackupNotFound"],
    ["../golden", "InvalidInput"],
  ])("%s is refused with %s", async (name, error) => {
    await expect(read(store, "backup", name)).rejects.toMatchObject({ name: error });
  });
});

test("outlineBackup never holds the whole meta", async () => {
  seedBackup(store, "golden");

  await outlineBackup(store, "backup", "golden");

  expect(store.calls.filter((call) => call.startsWith("getText"))).toEqual([
    expect.stringContaining("milvus-backup-manifest.json"),
    expect.stringContaining("milvus-backup-verified.json"),
    expect.stringContaining("milvus-backup-drilled.json"),
  ]);
});
