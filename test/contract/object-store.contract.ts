import { createHash } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { PipelineError } from "../../src/core/execution/errors.ts";
import type { ObjectStore, ObjectSummary } from "../../src/ports/object-store.ts";
import { collected } from "../support/collected.ts";

/** A store under test with a way to put bytes into it that does not go through the port. */
export interface StoreFixture {
  readonly store: ObjectStore;
  put(key: string, body: Buffer): Promise<void>;
  /** What a small object's ETag looks like; absent: it is the MD5 of its content. */
  readonly etag?: RegExp;
}

/** What an ETag has to be: the MD5 of the content where the store has such ones. */
function etagOf({ etag }: StoreFixture, body: Buffer): unknown {
  return etag === undefined ? md5(body) : expect.stringMatching(etag);
}

/** Every adapter of the port ObjectStore must pass this suite. */
export function objectStoreContract(
  name: string,
  open: () => Promise<{ source: StoreFixture; destination: StoreFixture }>,
) {
  describe(`object store contract: ${name}`, () => {
    let source: StoreFixture;
    let destination: StoreFixture;

    beforeAll(async () => {
      ({ source, destination } = await open());
    });

    test("lists every object below a prefix in key order, over several pages", async () => {
      const keys = Array.from({ length: 1_010 }, (_, index) => `many/${String(index).padStart(5, "0")}`);
      await inGroups(keys, (key) => source.put(key, Buffer.from(key)));
      await source.put("manyother", Buffer.from("not below the prefix"));

      const listed = await collect(source.store.list("many/"));

      expect(listed.map(({ key }) => key)).toEqual(keys);
      expect(listed[0]).toEqual({ key: "many/00000", size: 10, etag: etagOf(source, Buffer.from("many/00000")) });
    });

    test("lists from behind a key on", async () => {
      for (const key of ["after/a/1", "after/a/2", "after/b/1"]) await source.put(key, Buffer.from(key));

      const listed = await collect(source.store.list("after/", { startAfter: "after/a/1" }));

      expect(listed.map(({ key }) => key)).toEqual(["after/a/2", "after/b/1"]);
    });

    test("lists nothing below a prefix that is not there", async () => {
      expect(await collect(source.store.list("nothing/"))).toEqual([]);
    });

    test("lists the directories right below a prefix", async () => {
      for (const key of ["tree/1/x", "tree/1/y", "tree/2/z/deep", "tree/file"]) await source.put(key, Buffer.from(key));

      expect(await source.store.listDirectories("tree/")).toEqual(["tree/1/", "tree/2/"]);
      const { directories, objects } = await source.store.listChildren("tree/");
      expect(directories).toEqual(["tree/1/", "tree/2/"]);
      expect(objects).toEqual([{ key: "tree/file", size: 9, etag: etagOf(source, Buffer.from("tree/file")) }]);
    });

    test("tells what an object is, and undefined for none", async () => {
      const body = Buffer.from("some content");
      await source.put("headed", body);

      expect(await source.store.head("headed")).toEqual({
        key: "headed",
        size: body.length,
        etag: etagOf(source, body),
      });
      expect(await source.store.head("not-there")).toBeUndefined();
    });

    test("reads back the text that was written", async () => {
      const text = '{"id":470615367219551002,"name":"Zürich 東京"}';

      await source.store.putText("meta/full_meta.json", text, { contentType: "application/json" });

      expect(await source.store.getText("meta/full_meta.json")).toBe(text);
      expect(Buffer.from(await source.store.getBytes("meta/full_meta.json")).toString()).toBe(text);
    });

    test("names a missing object when it is read", async () => {
      await expect(source.store.getBytes("gone/away")).rejects.toMatchObject({ name: "ObjectNotFound" });
      await expect(source.store.getText("gone/away")).rejects.toMatchObject({
        name: "ObjectNotFound",
        message: expect.stringContaining("gone/away"),
      });
    });

    test("reads a text only where there is one when asked to", async () => {
      await source.store.putText("maybe", "here");

      expect(await source.store.getTextIfPresent("maybe")).toBe("here");
      expect(await source.store.getTextIfPresent("maybe/not")).toBeUndefined();
    });

    test("reads a text with its version, by which it is replaced", async () => {
      await source.store.putText("claim", "mine");

      const { text, etag } = (await source.store.getVersionIfPresent("claim")) ?? expect.fail();

      expect([text, etag]).toEqual(["mine", (await source.store.head("claim"))?.etag]);
      expect(await source.store.getVersionIfPresent("claim/not")).toBeUndefined();
      await source.store.putText("claim", "another's");
      expect((await source.store.getVersionIfPresent("claim"))?.etag).not.toBe(etag);
    });

    test("reads a large text as it comes, without cutting a character in two", async () => {
      const text = "Zürich 東京 😀 470615367219551002\n".repeat(20_000);
      await source.store.putText("large-text", text);

      const pieces = await collected(source.store.readText("large-text"));

      expect(pieces.join("")).toBe(text);
      expect(pieces.every((piece) => piece.isWellFormed())).toBe(true);
      expect(pieces.length).toBeGreaterThan(1);
    });

    test("reads a part of the very object that was listed", async () => {
      await source.put("start", Buffer.from([0xbc, 0xfa, 0xff, 0x00, 0x80]));
      const listed = (await source.store.head("start")) ?? expect.fail();

      expect([...(await source.store.readRange(listed, { offset: 0, size: 3 }))]).toEqual([0xbc, 0xfa, 0xff]);
      expect([...(await source.store.readRange(listed, { offset: 3, size: 1 }))]).toEqual([0x00]);
      expect(await source.store.readRange(listed, { offset: 0, size: 1024 })).toHaveLength(5);
      await source.put("start", Buffer.from("another"));
      await expect(source.store.readRange(listed, { offset: 0, size: 3 })).rejects.toMatchObject({
        name: "ObjectNotFound",
      });
    });

    test("reads the version that was asked for or none", async () => {
      await source.store.putText("pinned", "first");
      const seen = await source.store.head("pinned");
      const read = async () =>
        (await collected(source.store.readText("pinned", { ifMatch: seen?.etag ?? "" }))).join("");
      expect(await read()).toBe("first");

      await source.store.putText("pinned", "other");

      await expect(read()).rejects.toMatchObject({
        name: "ObjectNotFound",
        message: expect.stringContaining("replaced"),
      });
    });

    test("names a missing object when its text is to come, and stops where the reader does", async () => {
      await expect(collected(source.store.readText("gone/away"))).rejects.toMatchObject({
        name: "ObjectNotFound",
        message: expect.stringContaining("gone/away"),
      });
      await source.store.putText("long", "x".repeat(4 * 2 ** 20));
      for await (const _ of source.store.readText("long")) break;
      expect(await source.store.getText("long")).toHaveLength(4 * 2 ** 20);
    });

    test("writes only where nothing lies when asked to", async () => {
      expect(await source.store.putText("lease", "first", { ifAbsent: true })).toBe(true);
      expect(await source.store.putText("lease", "second", { ifAbsent: true })).toBe(false);
      expect(await source.store.getText("lease")).toBe("first");
    });

    test("replaces only the version that was read when asked to", async () => {
      await source.store.putText("versioned", "first");
      const seen = await source.store.head("versioned");
      const ifMatch = seen?.etag ?? "";
      expect(ifMatch).not.toBe("");

      expect(await source.store.putText("versioned", "second", { ifMatch })).toBe(true);
      expect(await source.store.putText("versioned", "third", { ifMatch })).toBe(false);
      expect(await source.store.putText("never-there", "x", { ifMatch })).toBe(false);
      expect(await source.store.getText("versioned")).toBe("second");
    });

    test.each([
      ["small", "Zürich 東京 "],
      ["of several parts", "Zürich 東京 ".repeat(1_000_000)],
    ])("makes a text appear whole when it is finished, and not before: %s", async (name, text) => {
      const key = `uploads/${name}`;
      const upload = source.store.openText(key, { contentType: "application/json" });
      for (let start = 0; start < text.length; start += 999_999) await upload.write(text.slice(start, start + 999_999));
      const before = await source.store.head(key);

      expect(await upload.finish()).toBe(true);

      const bytes = Buffer.from(text);
      expect(before).toBeUndefined();
      expect(upload.written).toEqual({ size: bytes.length, sha256: sha256(bytes) });
      expect(await source.store.head(key)).toMatchObject({ size: bytes.length });
      expect(sha256(Buffer.from(await source.store.getText(key)))).toBe(upload.written.sha256);
    });

    test.each([
      ["small", 1_000],
      ["of several parts", 20 * 2 ** 20],
    ])("writes bytes that are no text as they are: %s", async (name, size) => {
      const key = `uploads/bytes/${name}`;
      const bytes = Uint8Array.from({ length: size }, (_, index) => (index * 7 + (index >> 8)) % 256);
      const upload = source.store.openText(key);
      for (let start = 0; start < size; start += 3_000_001)
        await upload.write(bytes.subarray(start, start + 3_000_001));

      expect(await upload.finish()).toBe(true);

      expect(upload.written).toEqual({ size, sha256: sha256(Buffer.from(bytes)) });
      expect(sha256(Buffer.from(await source.store.getBytes(key)))).toBe(upload.written.sha256);
    });

    test.each([
      ["small", 1],
      ["of several parts", 10 * 2 ** 20],
    ])("leaves what is there alone when asked to, and nothing of the text: %s", async (name, length) => {
      const key = `uploads/taken/${name}`;
      const upload = source.store.openText(key);
      await upload.write("x".repeat(length));
      await source.store.putText(key, "first");

      expect(await upload.finish({ ifAbsent: true })).toBe(false);

      expect(await source.store.getText(key)).toBe("first");
      const replacing = source.store.openText(key);
      await replacing.write("second");
      expect(await replacing.finish()).toBe(true);
      expect(await source.store.getText(key)).toBe("second");
    });

    test("forgets a text that is given up, and writes the next one to its key", async () => {
      const key = "uploads/given-up";
      const first = source.store.openText(key);
      await first.write("x".repeat(10 * 2 ** 20));
      await first.abort();
      await first.abort();
      expect(await source.store.head(key)).toBeUndefined();

      const next = source.store.openText(key);
      await next.write("next");
      expect(await next.finish({ ifAbsent: true })).toBe(true);
      expect(await source.store.getText(key)).toBe("next");
    });

    test.each([
      ["a plain key", "copy/insert_log/1/2/3/100/4"],
      ["characters that must be encoded", "copy/ü +%25&=?#'(1)/käse"],
    ])("copies an object under %s and says what arrived", async (_, key) => {
      const body = Buffer.from(`content of ${key}`);
      await source.put(key, body);
      const object = await summary(source, key);

      const copied = await destination.store.copyFrom(source.store, object, `to/${key}`);

      expect(copied).toMatchObject({
        key: `to/${key}`,
        size: body.length,
        etag: etagOf(destination, body),
        skipped: false,
      });
      expect(copied.checksum).toBe(`md5:${md5(body)}`);
      expect(await destination.store.getText(`to/${key}`)).toBe(body.toString());
    });

    test("copies an empty object", async () => {
      await source.put("empty", Buffer.alloc(0));

      await destination.store.copyFrom(source.store, await summary(source, "empty"), "to/empty");

      expect(await destination.store.head("to/empty")).toMatchObject({ size: 0 });
    });

    test("skips a copy that is there already, whether a listing or a look tells so", async () => {
      await source.put("twice", Buffer.from("the same"));
      const object = await summary(source, "twice");
      await destination.store.copyFrom(source.store, object, "to/twice");
      const [existing] = await collect(destination.store.list("to/twice"));
      expect(existing).toBeDefined();

      const looked = await destination.store.copyFrom(source.store, object, "to/twice");
      const told = await destination.store.copyFrom(source.store, object, "to/twice", { existing: existing ?? null });

      expect([looked.skipped, told.skipped]).toEqual([true, true]);
      expect(told).toMatchObject({ size: object.size, etag: existing?.etag });
      const checksum = `md5:${md5(Buffer.from("the same"))}`;
      expect([looked.checksum, told.checksum]).toEqual([checksum, checksum]);
    });

    test("replaces another object of the same size at the destination", async () => {
      await source.put("right", Buffer.from("right"));
      await destination.put("to/right", Buffer.from("wrong"));

      const copied = await destination.store.copyFrom(source.store, await summary(source, "right"), "to/right");

      expect(copied.skipped).toBe(false);
      expect(await destination.store.getText("to/right")).toBe("right");
    });

    test("says that the source vanished, and leaves nothing behind", async () => {
      await source.put("vanished", Buffer.from("other"));
      const object = await summary(source, "vanished");
      await source.store.deleteKeys(["vanished"]);

      await expect(destination.store.copyFrom(source.store, object, "to/vanished")).rejects.toMatchObject({
        name: "ObjectNotFound",
        message: expect.stringContaining("vanished"),
      });
      expect(await destination.store.head("to/vanished")).toBeUndefined();
    });

    test("does not copy a source that was replaced since it was listed", async () => {
      await source.put("replaced", Buffer.from("before"));
      const object = await summary(source, "replaced");
      await source.put("replaced", Buffer.from("after!"));

      await expect(destination.store.copyFrom(source.store, object, "to/replaced")).rejects.toMatchObject({
        name: "ObjectNotFound",
      });
      expect(await destination.store.head("to/replaced")).toBeUndefined();
    });

    test("tells whether a content is what a checksum says, reading it only where it is asked to", async () => {
      const body = Buffer.from("123456789");
      await source.put("checked", body);
      const object = await summary(source, "checked");
      const has = (checksum: string, read = false) => source.store.hasContent(object, checksum, { read });

      expect(await has(`md5:${md5(body)}`)).toBe(true);
      expect(await has(`md5:${md5(Buffer.from("987654321"))}`)).toBe(false);
      expect(await has("nobody:knows=")).toBeUndefined();
      expect(await has("nobody:knows=", true)).toBeUndefined();
      // the check values of these algorithms
      expect(await has("crc64nvme:rosUhgp5mIg=", true)).toBe(true);
      expect(await has("crc32c:4waSgw==", true)).toBe(true);
      expect(await has("crc32:AAAAAA==", true)).toBe(false);
      const read = (kind: string) => source.store.readChecksum(object, kind);
      expect(await read("md5")).toBe(`md5:${md5(body)}`);
      expect(await read("crc64nvme")).toBe("crc64nvme:rosUhgp5mIg=");
      expect(await read("nobody")).toBeUndefined();
    });

    test.each(["replaced", "gone"])("tells nothing of the content of an object that was %s since", async (how) => {
      const key = `checked-${how}`;
      await source.put(key, Buffer.from("before"));
      const object = await summary(source, key);
      if (how === "gone") await source.store.deleteKeys([key]);
      else await source.put(key, Buffer.from("after!"));

      await expect(
        source.store.hasContent(object, `md5:${md5(Buffer.from("before"))}`, { read: true }),
      ).rejects.toMatchObject({
        name: "ObjectNotFound",
        message: expect.stringContaining(key),
      });
      await expect(source.store.readChecksum(object, "md5")).rejects.toMatchObject({ name: "ObjectNotFound" });
    });

    test("deletes what lies below a prefix, over several requests, and nothing else", async () => {
      const keys = Array.from({ length: 1_005 }, (_, index) => `doomed/${index}`);
      await inGroups(keys, (key) => destination.put(key, Buffer.from(key)));
      await destination.put("doomed-not", Buffer.from("stays"));

      expect(await destination.store.deletePrefix("doomed/")).toBe(1_005);

      expect(await collect(destination.store.list("doomed/"))).toEqual([]);
      expect(await destination.store.head("doomed-not")).toBeDefined();
      expect(await destination.store.deletePrefix("doomed/")).toBe(0);
    });

    test("deletes single keys, there or not", async () => {
      await destination.put("one & <two>", Buffer.from("x"));
      await destination.put("three", Buffer.from("x"));

      await destination.store.deleteKeys(["one & <two>", "three", "never there"]);

      expect(await destination.store.head("one & <two>")).toBeUndefined();
      expect(await destination.store.head("three")).toBeUndefined();
    });

    test.each([["one"], ["one", "two"]])("deletes nothing where it must not any more", async (...keys) => {
      for (const key of keys) await destination.put(key, Buffer.from("x"));
      const late = new PipelineError("ClaimLost", "too late");
      const stillMay = () => {
        throw late;
      };

      await expect(destination.store.deleteKeys(keys, { stillMay })).rejects.toBe(late);

      for (const key of keys) expect(await destination.store.head(key)).toBeDefined();
    });

    test("finds its bucket accessible", async () => {
      await expect(destination.store.checkAccess()).resolves.toBeUndefined();
    });
  });
}

export async function collect(objects: AsyncIterable<ObjectSummary>): Promise<ObjectSummary[]> {
  const collected: ObjectSummary[] = [];
  for await (const object of objects) collected.push(object);
  return collected;
}

function sha256(body: Buffer): string {
  return createHash("sha256").update(body).digest("hex");
}

export function md5(body: Buffer): string {
  return createHash("md5").update(body).digest("hex");
}

export async function summary(fixture: StoreFixture, key: string): Promise<ObjectSummary> {
  const [object] = await collect(fixture.store.list(key));
  if (object === undefined) throw new Error(`the test did not put ${key}`);
  return object;
}

async function inGroups(keys: readonly string[], put: (key: string) => Promise<void>): Promise<void> {
  for (let start = 0; start < keys.length; start += 50) await Promise.all(keys.slice(start, start + 50).map(put));
}
