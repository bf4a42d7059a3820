import { beforeEach, describe, expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { checkDeletable, deleteBackup } from "../../../../src/steps/catalog/delete-backup.ts";
import { markClaimFailed, takeClaim } from "../../../../src/steps/shared/backup-claim.ts";
import { markReader, readerKeyOf, unmarkReader } from "../../../../src/steps/shared/readers.ts";
import { StoredBackup } from "../../../../src/steps/shared/stored-backup.ts";
import { memoryContext } from "../../../support/memory-context.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";
import { seedBackup } from "../../../support/seed-backup.ts";

const place = { address: "store.test", port: 9000, bucket: "bucket-b" };
const { claim, meta } = backupLayout("backup", "old");

let context: ReturnType<typeof memoryContext>;
let store: MemoryObjectStore;

beforeEach(() => {
  context = memoryContext();
  store = new MemoryObjectStore("bucket-b");
});

function execution(name: string) {
  const id = `arn:aws:states:us-east-1:111111111111:execution:MilvusBackup-restore:${name}`;
  return { name, id, startTime: "2026-11-21T11:03:07Z" };
}
const first = execution("first");
const stored = (name = "old", rootPath = "backup") => new StoredBackup(store, { rootPath }, name);
const request = { place, holder: "delete 1", deployment: first.id };
const remove = (more: { incomplete?: boolean; neverComplete?: boolean; holder?: string } = {}, backup = stored()) =>
  deleteBackup(backup, { ...request, ...more }, context);
const deletions = () => store.calls.filter((call) => call.startsWith("delete") && !call.endsWith(claim));

describe("deleteBackup", () => {
  test("takes the commit record first, the claim last, and leaves other backups alone", async () => {
    seedBackup(store, "old");
    seedBackup(store, "old2");
    const others = store.keys("backup/old2/");

    const { objects } = await remove();

    expect(objects).toBe(6);
    expect(store.keys()).toEqual(others);
    const calls = store.calls.filter((call) => call.startsWith("delete"));
    expect(calls[0]).toBe("deleteKeys backup/old/meta/full_meta.json");
    expect(calls.at(-1)).toBe(`deleteKeys ${claim}`);
  });

  test("what a broken deletion left is incomplete, and goes on request only", async () => {
    seedBackup(store, "old");
    const broken = new PipelineError("StoreBusy", "busy");
    store.failOn(
      (call) => call.startsWith("deleteKeys") && call.includes(meta.backup_meta),
      () => broken,
    );
    await expect(remove()).rejects.toBe(broken);

    const again = { holder: "delete 2" };
    await expect(remove(again)).rejects.toMatchObject({ name: "BackupNotFound" });
    expect(store.keys("backup/old/")).not.toEqual([]);
    await remove({ ...again, incomplete: true });
    expect(store.keys("backup/old/")).toEqual([]);
  });

  test("a backup that is not there is an error before anything is asked or deleted", async () => {
    await expect(checkDeletable(stored("nope"), { ...request, incomplete: true }, context)).rejects.toMatchObject({
      name: "BackupNotFound",
    });
    expect(store.keys()).toEqual([]);
    expect(deletions()).toEqual([]);
  });

  test("killed before any call, it is finished by the next one", async () => {
    seedBackup(store, "old");
    await remove();
    const calls = store.calls.length;
    for (let at = 0; at < calls; at += 1) {
      store = new MemoryObjectStore("bucket-b");
      seedBackup(store, "old");
      let seen = 0;
      store.failOn(
        () => seen++ === at,
        () => new Error("killed"),
      );
      await remove().catch(() => undefined);
      if (store.keys().length > 0) await remove({ holder: "delete 2", incomplete: true });

      expect(store.keys(), `killed before call ${at}`).toEqual([]);
    }
  });
});

describe("what is no backup's stays", () => {
  test.each([
    ["a Milvus whose bucket has no root path", "files", "", "files/insert_log/1/2/3/100/4", "insert_log/"],
    ["a root path of backups", "backup", "", "backup/old/meta/full_meta.json", "old/"],
    ["somebody's file", "old", "backup", "backup/old/notes.txt", "notes.txt"],
  ])("%s is refused and named", async (_, name, rootPath, key, named) => {
    store.seed(key, "precious");

    await expect(remove({ incomplete: true }, stored(name, rootPath))).rejects.toMatchObject({
      name: "ForeignObjects",
      message: expect.stringContaining(`holds what no backup has: ${named}. Nothing was deleted`),
    });
    expect(store.keys()).toEqual([key]);
  });

  test("beside a complete backup too", async () => {
    seedBackup(store, "old");
    store.seed("backup/old/notes.txt", "precious");
    const before = store.keys();

    await expect(remove()).rejects.toMatchObject({ name: "ForeignObjects" });
    expect(store.keys()).toEqual(before);
  });
});

describe("a backup that is being written", () => {
  beforeEach(async () => {
    await takeClaim(stored(), { execution: first, purpose: "backup" }, context);
    store.seed(`${backupLayout("backup", "old").binlogs}insert_log/1/2/3/3/100/4`, "copied");
  });

  test("is refused, naming the execution, and goes once that is over", async () => {
    context.running.add(first.id);

    await expect(remove({ incomplete: true })).rejects.toMatchObject({
      name: "AlreadyRunning",
      message: expect.stringContaining("is already being written by backup execution first"),
    });
    expect(deletions()).toEqual([]);

    context.running.clear();
    await remove({ incomplete: true });
    expect(store.keys()).toEqual([]);
  });

  test("since just now, after it was asked for, is refused too", async () => {
    await markClaimFailed(stored(), first.id, context);
    const second = execution("second");
    context.running.add(second.id);
    let looks = 0;
    const getTextIfPresent = store.getTextIfPresent.bind(store);
    store.getTextIfPresent = async (key) => {
      if (key === claim) looks += 1;
      // The look of the question is over: before the next one, the same command starts again.
      if (key === claim && looks === 2) {
        await takeClaim(stored(), { execution: second, purpose: "backup" }, context);
      }
      return getTextIfPresent(key);
    };

    await expect(remove({ incomplete: true })).rejects.toMatchObject({
      name: "AlreadyRunning",
      message: expect.stringContaining("execution second"),
    });
    expect(deletions()).toEqual([]);
  });

  test("by another deployment is refused until that was silent for two hours", async () => {
    context.unknown.add(first.id);
    await expect(remove({ incomplete: true })).rejects.toMatchObject({ name: "AlreadyRunning" });

    await context.clock.sleep(2 * 3_600_000);
    await remove({ incomplete: true });
    expect(store.keys()).toEqual([]);
  });

  test("and failed goes at once, but never where it is complete by now and only its leftovers were meant", async () => {
    await markClaimFailed(stored(), first.id, context);
    seedBackup(store, "old");
    const before = store.keys();

    await expect(remove({ incomplete: true, neverComplete: true })).rejects.toMatchObject({ name: "BackupInUse" });
    expect(store.keys()).toEqual(before);
    await remove({ incomplete: true });
    expect(store.keys()).toEqual([]);
  });
});

describe("a backup that is being read", () => {
  const readerKey = () => readerKeyOf(stored(), place, "restore", first);
  const read = () => markReader(context, stored(), readerKey(), first);

  beforeEach(() => {
    seedBackup(store, "old");
    context.running.add(first.id);
  });

  test("stays, and who reads it is named, until it is not read any more", async () => {
    await read();
    const before = store.keys();

    await expect(remove()).rejects.toMatchObject({
      name: "BackupInUse",
      message: expect.stringMatching(/being read by restore execution first: wait until it is over, or stop it/),
    });
    expect(store.keys()).toEqual(before);

    await unmarkReader(context, readerKey());
    await remove();
    expect(store.keys()).toEqual([]);
  });

  test("by an execution that is over counts no more", async () => {
    await read();
    context.running.clear();

    await remove();
    expect(store.keys()).toEqual([]);
  });

  test("by whoever left a mark that cannot be read counts", async () => {
    context.work.seed(readerKey(), "{");

    await expect(remove()).rejects.toMatchObject({ name: "BackupInUse" });
  });

  test("under another name, or in another bucket, is another one", async () => {
    await markReader(context, stored(), readerKeyOf(stored("old2"), place, "restore", first), first);
    const elsewhere = { ...place, bucket: "bucket-c" };
    await markReader(context, stored(), readerKeyOf(stored(), elsewhere, "restore", first), first);

    await remove();
    expect(store.keys()).toEqual([]);
  });

  test("from just before the deletion looked stays; the claim is given back", async () => {
    store.failOn(
      (call) => {
        // The deletion has its claim: a reader comes that does not see it any more than the deletion sees the reader's mark before.
        if (call === `putText ${claim}`) context.work.seed(readerKey(), JSON.stringify({ executionArn: first.id }));
        return false;
      },
      () => new Error("never"),
    );
    const before = store.keys();

    await expect(remove()).rejects.toMatchObject({ name: "BackupInUse" });
    expect(store.keys()).toEqual(before);
  });

  test("is not begun to be read while it is deleted", async () => {
    store.failOn(
      (call) => call.includes(meta.backup_meta),
      () => new Error("killed"),
    );
    await expect(remove()).rejects.toThrow("killed");

    await expect(read()).rejects.toMatchObject({
      name: "BackupInUse",
      message: expect.stringContaining("is being deleted since"),
    });
  });
});
