import { randomBytes } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import type { ObjectLock } from "../../src/core/execution/object-lock.ts";
import type { StoreFixture } from "./object-store.contract.ts";
import { summary } from "./object-store.contract.ts";

/** A bucket with Object Lock on, or off, and what goes around the port there. */
export interface LockingFixture extends StoreFixture {
  /** Deletes every version of a key for good, as who wants to get rid of a backup does. @throws where the store refuses it */
  removeVersions(key: string): Promise<void>;
}

/** In whole seconds, as stores keep it. */
function inDays(days: number, mode: ObjectLock["mode"] = "governance"): ObjectLock {
  const until = new Date(Math.ceil(Date.now() / 1000) * 1000 + days * 86_400_000);
  return { mode, until: until.toISOString() };
}

/** Every adapter that locks objects must pass this suite. */
export function objectLockContract(
  name: string,
  open: () => Promise<{ source: StoreFixture; locking: LockingFixture; plain: StoreFixture }>,
) {
  describe(`object lock contract: ${name}`, () => {
    let source: StoreFixture;
    let locking: LockingFixture;
    let plain: StoreFixture;

    beforeAll(async () => {
      ({ source, locking, plain } = await open());
    });

    test("tells a bucket with Object Lock from one without", async () => {
      expect(await locking.store.bucketLock()).toEqual({ state: "on" });
      expect(await plain.store.bucketLock()).toEqual({ state: "off" });
    });

    test("tells that an object is not locked, in either bucket, and that there is none", async () => {
      await locking.put("free", Buffer.from("free"));
      await plain.put("free", Buffer.from("free"));

      expect(await locking.store.lockOf("free")).toBeUndefined();
      expect(await plain.store.lockOf("free")).toBeUndefined();
      await expect(locking.store.lockOf("nothing")).rejects.toMatchObject({ name: "ObjectNotFound" });
      await expect(locking.store.extendLock("nothing", inDays(1))).rejects.toMatchObject({ name: "ObjectNotFound" });
    });

    test.each([
      ["an object", 1_000],
      ["an object in parts", 40 * 2 ** 20 + 7],
    ])("locks what it copies, and the store refuses to remove it: %s", async (what, bytes) => {
      const key = `copied/${what}`;
      const lock = inDays(1);
      await source.put(key, randomBytes(bytes));

      await locking.store.copyFrom(source.store, await summary(source, key), key, { lock });

      expect(await locking.store.lockOf(key)).toEqual(lock);
      await expect(locking.removeVersions(key)).rejects.toThrow(/WORM protected/);
    });

    test.each([
      ["small", 1],
      ["of several parts", 10 * 2 ** 20],
    ])("locks a text, written at once or as it comes: %s", async (size, length) => {
      const lock = inDays(1, "compliance");
      const key = `texts/${size}`;
      await locking.store.putText(`${key}/put`, "text", { lock, ifAbsent: true });
      const upload = locking.store.openText(`${key}/opened`, { lock });
      await upload.write("x".repeat(length));
      await upload.finish({ ifAbsent: true });

      for (const written of [`${key}/put`, `${key}/opened`]) {
        expect(await locking.store.lockOf(written)).toEqual(lock);
        await expect(locking.removeVersions(written)).rejects.toThrow(/WORM protected/);
      }
    });

    test("extends the lock of what is copied again, and never makes one shorter or weaker", async () => {
      await source.put("again", Buffer.from("again"));
      const object = await summary(source, "again");
      const [short, long] = [inDays(1), inDays(9)];
      const copy = (lock: ObjectLock) => locking.store.copyFrom(source.store, object, "again", { lock });

      expect((await copy(short)).skipped).toBe(false);
      expect((await copy(long)).skipped).toBe(true);
      expect(await locking.store.lockOf("again")).toEqual(long);
      expect((await copy(short)).skipped).toBe(true);
      expect(await locking.store.lockOf("again")).toEqual(long);
    });

    test("locks what was there without one, and keeps the stronger mode", async () => {
      await locking.put("later", Buffer.from("later"));
      const [short, long] = [inDays(1, "compliance"), inDays(9)];

      await locking.store.extendLock("later", short);
      expect(await locking.store.lockOf("later")).toEqual(short);
      await locking.store.extendLock("later", long);
      expect(await locking.store.lockOf("later")).toEqual({ mode: "compliance", until: long.until });
    });

    test("tells where a lock in governance mode cannot become one in compliance mode", async () => {
      await locking.store.putText("weak", "text", { lock: inDays(2) });

      const stronger = locking.store.extendLock("weak", inDays(3, "compliance"));

      await expect(stronger).rejects.toMatchObject({ name: "BackupLocked", message: expect.stringContaining("weak") });
    });

    test("deletes and overwrites as everywhere: what is locked is hidden, and stays", async () => {
      await locking.store.putText("hidden", "first", { lock: inDays(1) });
      await locking.store.putText("hidden", "second");
      await locking.store.deleteKeys(["hidden"]);

      expect(await locking.store.head("hidden")).toBeUndefined();
      await expect(locking.removeVersions("hidden")).rejects.toThrow(/WORM protected/);
      // as a claim is, that is taken again where it was given back
      expect(await locking.store.putText("hidden", "third", { ifAbsent: true })).toBe(true);
      expect(await locking.store.putText("hidden", "fourth", { ifAbsent: true })).toBe(false);
    });

    test("refuses a lock in a bucket without", async () => {
      await source.put("no-lock", Buffer.from("x"));
      const object = await summary(source, "no-lock");

      await expect(plain.store.copyFrom(source.store, object, "no-lock", { lock: inDays(1) })).rejects.toMatchObject({
        name: "StoreFailed",
        message: expect.stringContaining("ObjectLockConfiguration"),
      });
      expect(await plain.store.head("no-lock")).toBeUndefined();
    });
  });
}
