import { beforeEach, describe, expect, test } from "vitest";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { listBackups } from "../../../../src/steps/catalog/list-backups.ts";
import { goldenFiles } from "../../../support/golden-backup.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";
import { seedBackup } from "../../../support/seed-backup.ts";

let store: MemoryObjectStore;

beforeEach(() => {
  store = new MemoryObjectStore("bucket-b");
});

describe("listBackups", () => {
  test("sums up what the golden backup holds, from its small files", async () => {
    seedBackup(store, "golden");

    const backups = await listBackups(store, "backup");

    expect(backups).toEqual([
      {
        name: "golden",
        state: "complete",
        createdAt: new Date("2026-11-21T09:59:38Z"),
        collections: ["default.by_tenant", "default.empty", "default.all_types", "shop.auto_ids"],
        instants: [],
        size: 89153n,
        incremental: false,
        milvusVersion: "v2.3.5-lite",
      },
    ]);
    expect(store.calls.filter((call) => /^(get|read)Text .*full_meta/.test(call))).toEqual([]);
  });

  test("gives the same where the level files are missing", async () => {
    seedBackup(store, "golden");
    const expected = await listBackups(store, "backup");
    store.remove(backupLayout("backup", "golden").meta.collection_meta);

    expect(await listBackups(store, "backup")).toEqual(expected);
    // it may be larger than the memory: never whole
    expect(store.calls.filter((call) => /^getText .*full_meta/.test(call))).toEqual([]);
  });

  test("a backup without its commit record does not exist, and is shown on request", async () => {
    seedBackup(store, "done");
    seedBackup(store, "half", { without: ["full_meta"] });
    store.seed("backup/notes/readme.txt", "no backup");

    expect((await listBackups(store, "backup")).map(({ name }) => name)).toEqual(["done"]);
    expect((await listBackups(store, "backup", { incomplete: true })).map(({ name, state }) => [name, state])).toEqual([
      ["done", "complete"],
      ["half", "incomplete"],
    ]);
  });

  test("a corrupt backup is listed as such and hides no other", async () => {
    seedBackup(store, "broken");
    seedBackup(store, "fine");
    store.seed(backupLayout("backup", "broken").meta.collection_meta, goldenFiles.collection_meta.slice(0, 500));

    const backups = await listBackups(store, "backup");

    expect(backups.map(({ name, state }) => [name, state])).toEqual([
      ["broken", "corrupt"],
      ["fine", "complete"],
    ]);
    expect(backups[0]?.problem).toContain("collection_meta.json");
  });

  test("works at the root of a bucket", async () => {
    seedBackup(store, "golden", { rootPath: "" });

    expect((await listBackups(store, "")).map(({ name }) => name)).toEqual(["golden"]);
  });
});
