import { beforeEach, describe, expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { checkDeletable, deleteBackup } from "../../../../src/steps/catalog/delete-backup.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";
import { seedBackup } from "../../../support/seed-backup.ts";

let store: MemoryObjectStore;

beforeEach(() => {
  store = new MemoryObjectStore("bucket-b");
});

describe("deleteBackup", () => {
  test("takes the commit record first and leaves other backups alone", async () => {
    seedBackup(store, "old");
    seedBackup(store, "old2");
    const others = store.keys("backup/old2/");

    const { objects } = await deleteBackup(store, "backup", "old");

    expect(objects).toBe(6);
    expect(store.keys()).toEqual(others);
    const deletions = store.calls.filter((call) => call.startsWith("delete"));
    expect(deletions[0]).toBe("deleteKeys backup/old/meta/full_meta.json");
  });

  test("what a broken deletion left is incomplete, and goes on request only", async () => {
    seedBackup(store, "old");
    const broken = new PipelineError("StoreBusy", "busy");
    store.failOn(
      (call) => call.startsWith("deletePrefix"),
      () => broken,
    );
    await expect(deleteBackup(store, "backup", "old")).rejects.toBe(broken);

    await expect(deleteBackup(store, "backup", "old")).rejects.toMatchObject({ name: "BackupNotFound" });
    expect(store.keys("backup/old/")).not.toEqual([]);
    await deleteBackup(store, "backup", "old", { incomplete: true });
    expect(store.keys("backup/old/")).toEqual([]);
  });

  test("a backup that is not there is an error before anything is asked or deleted", async () => {
    await expect(checkDeletable(store, "backup", "nope", { incomplete: true })).rejects.toMatchObject({
      name: "BackupNotFound",
    });
    expect(store.calls.filter((call) => call.startsWith("delete"))).toEqual([]);
  });
});
