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
  test("sums up what the golden backup holds, from its small files where the large one is large", async () => {
    seedBackup(store, "golden");

    const backups = await listBackups(store, "backup");

    expect(backups).toEqual([
      {
        id: "3bceac12-c72e-45f2-addd-2d9d64063218",
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
    expect(
      (await listBackups(store, "backup", { incompleteAt: new Date() })).map(({ name, state }) => [name, state]),
    ).toEqual([
      ["done", "complete"],
      ["half", "incomplete"],
    ]);
  });

  test("a corrupt backup is listed as such and hides no other", async () => {
    seedBackup(store, "broken");
    seedBackup(store, "fine");
    seedBackup(store, "broken_large");
    store.seed(backupLayout("backup", "broken").meta.full_meta, goldenFiles.full_meta.slice(0, 500));
    store.remove(backupLayout("backup", "broken").meta.collection_meta);
    store.seed(backupLayout("backup", "broken_large").meta.collection_meta, goldenFiles.collection_meta.slice(0, 500));

    const backups = await listBackups(store, "backup");

    expect(backups.map(({ name, state }) => [name, state])).toEqual([
      ["broken", "corrupt"],
      ["broken_large", "corrupt"],
      ["fine", "complete"],
    ]);
    expect(backups[0]?.problem).toMatch(/^backup broken in .*: full_meta\.json/);
    expect(backups[1]?.problem).toMatch(/^backup broken_large in .*: collection_meta\.json/);
  });

  test("works at the root of a bucket", async () => {
    seedBackup(store, "golden", { rootPath: "" });

    expect((await listBackups(store, "")).map(({ name }) => name)).toEqual(["golden"]);
  });

  test.each([
    ["small ones", true, 1],
    ["others", false, 2],
  ])("asks little of the store, and of many backups at once: of %s", async (_, small, files) => {
    const names = Array.from({ length: 200 }, (_, index) => `night_${String(index).padStart(3, "0")}`);
    for (const name of names) {
      seedBackup(store, name);
      // without collections it is small
      if (small) store.seed(backupLayout("backup", name).meta.full_meta, goldenFiles.backup_meta);
    }
    const busy = { now: 0, most: 0 };

    const backups = await listBackups(slowly(store, busy), "backup");

    expect(backups.map(({ name }) => name)).toEqual(names);
    // the directories; of each backup which files there are, and those that tell
    expect(store.calls).toHaveLength(1 + (1 + files) * names.length);
    expect(busy.most).toBeGreaterThanOrEqual(32);
  });

  test("reads a manifest only where it lies there and its instants are asked for", async () => {
    seedBackup(store, "golden");
    const { manifest } = backupLayout("backup", "golden");
    store.seed(manifest, "no manifest");
    const reads = () => store.calls.filter((call) => call === `getText ${manifest}`).length;

    expect(await listBackups(store, "backup", { instants: false })).toMatchObject([{ state: "complete" }]);
    expect(reads()).toBe(0);
    expect(await listBackups(store, "backup")).toMatchObject([
      { state: "complete", instants: [], problem: expect.stringContaining(manifest) },
    ]);
    expect(reads()).toBe(1);
  });

  test("one that is deleted while it is listed is not there, and hides no other", async () => {
    seedBackup(store, "fine");
    seedBackup(store, "going");
    const { meta } = backupLayout("backup", "going");
    const getTextIfPresent = store.getTextIfPresent.bind(store);
    store.getTextIfPresent = async (key) => {
      if (key === meta.backup_meta) for (const gone of Object.values(meta)) store.remove(gone);
      return getTextIfPresent(key);
    };

    expect((await listBackups(store, "backup")).map(({ name }) => name)).toEqual(["fine"]);
  });

  test("sizes beyond 2^53 are those of a corrupt backup", async () => {
    seedBackup(store, "golden");
    const { meta } = backupLayout("backup", "golden");
    store.seed(meta.backup_meta, goldenFiles.backup_meta.replace(/"size":\d+/, `"size":${2n ** 53n}`));

    expect(await listBackups(store, "backup")).toMatchObject([
      {
        state: "corrupt",
        problem: "the bytes of backup golden are said to be 9007199254740992: no backup has that many",
      },
    ]);
  });
});

/** A store that takes a while for each answer, and counts how many calls wait at once. */
function slowly(store: MemoryObjectStore, busy: { now: number; most: number }): MemoryObjectStore {
  const wait = async () => {
    busy.now += 1;
    busy.most = Math.max(busy.most, busy.now);
    await new Promise((resolve) => setTimeout(resolve, 2));
    busy.now -= 1;
  };
  const getTextIfPresent = store.getTextIfPresent.bind(store);
  store.getTextIfPresent = async (key) => {
    await wait();
    return getTextIfPresent(key);
  };
  return store;
}
