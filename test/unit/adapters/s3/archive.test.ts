import { afterEach, expect, test } from "vitest";
import { connectS3 } from "../../../../src/adapters/s3/connection.ts";
import { S3ObjectStore } from "../../../../src/adapters/s3/object-store.ts";
import { collected } from "../../../support/collected.ts";
import { type HttpAnswer, type SeenRequest, startAnswering } from "../../../support/http-answers.ts";
import { settingsOf } from "../../../support/s3-stores.ts";

const key = "backup/nightly/binlogs/insert_log/1/2/3/100/4";
const object = { key, size: 3, etag: "e".repeat(32) };
let server: Awaited<ReturnType<typeof startAnswering>> | undefined;
afterEach(() => server?.close());

async function storeThat(answer: (request: SeenRequest) => HttpAnswer) {
  server = await startAnswering(answer);
  const settings = settingsOf(`http://key:secret@127.0.0.1:${server.port}`, { bucket: "b" });
  return new S3ObjectStore(connectS3(settings), "b");
}

const error = (code: string, message: string) => `<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
const invalidState = error("InvalidObjectState", "The operation is not valid for the object's storage class");

test("a listing tells what is in an archive, and what is read at once", async () => {
  const listed = ["STANDARD", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"]
    .map((name) => `<Contents><Key>${name}</Key><Size>1</Size><StorageClass>${name}</StorageClass></Contents>`)
    .join("");
  const store = await storeThat(() => ({ status: 200, body: `<ListBucketResult>${listed}</ListBucketResult>` }));

  const found = await collected(store.list(""));

  expect(found.map(({ key, archived }) => [key, archived])).toEqual([
    ["STANDARD", undefined],
    ["GLACIER_IR", undefined],
    ["GLACIER", true],
    ["DEEP_ARCHIVE", true],
  ]);
});

test.each([
  ["in an archive", { "x-amz-storage-class": "DEEP_ARCHIVE" }, /is in DEEP_ARCHIVE: it has to be restored/],
  [
    "in an archive tier",
    { "x-amz-storage-class": "INTELLIGENT_TIERING", "x-amz-archive-status": "ARCHIVE_ACCESS" },
    /is in ARCHIVE_ACCESS/,
  ],
  [
    "on its way out of one",
    { "x-amz-storage-class": "GLACIER", "x-amz-restore": 'ongoing-request="true"' },
    /is being restored from GLACIER/,
  ],
])("an object that is %s cannot be read", async (_, headers, message) => {
  const store = await storeThat(() => ({ status: 200, headers }));

  await expect(store.checkReadable(object)).rejects.toMatchObject({
    name: "ObjectArchived",
    message: expect.stringMatching(message),
  });
});

test.each([
  ["of another class", { "x-amz-storage-class": "GLACIER_IR" }],
  ["of a store that tells no class", {}],
  [
    "restored for a while",
    {
      "x-amz-storage-class": "GLACIER",
      "x-amz-restore": 'ongoing-request="false", expiry-date="Fri, 21 Dec 2026 00:00:00 GMT"',
    },
  ],
])("an object %s can be read", async (_, headers) => {
  const store = await storeThat(() => ({ status: 200, headers }));

  await expect(store.checkReadable(object)).resolves.toBeUndefined();
});

test("a copy out of an archive names the object, its prefix and the command, and is not tried again", async () => {
  const store = await storeThat(({ method }) =>
    method === "HEAD" ? { status: 404 } : { status: 403, body: invalidState },
  );

  await expect(store.copyFrom(store, object, "to/4")).rejects.toMatchObject({
    name: "ObjectArchived",
    message: expect.stringMatching(
      new RegExp(
        `${key} in bucket b at .* below backup/nightly/binlogs/\\. .*restore-object --bucket b --key ${key} --restore-request Days=7`,
      ),
    ),
  });
  expect(server?.seen.filter(({ method }) => method === "PUT")).toHaveLength(1);
});

test("a lock, its class and its digest are in the requests that write", async () => {
  const store = await storeThat(({ method, url }) => {
    if (method === "HEAD") return { status: 404 };
    if (method === "GET" && url.includes("retention")) {
      return {
        status: 404,
        body: error("NoSuchObjectLockConfiguration", "The specified object does not have a ObjectLock configuration"),
      };
    }
    const copied = "<CopyObjectResult><ETag>&quot;eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee&quot;</ETag></CopyObjectResult>";
    return { status: 200, body: url.includes("retention") ? "" : copied };
  });
  const lock = { mode: "compliance", until: "2026-12-28T11:03:07.000Z" } as const;

  await store.copyFrom(store, object, "to/4", { lock, storageClass: "STANDARD_IA" });
  await store.putText("text", "text", { lock });
  await store.extendLock("to/4", lock);

  const [copy, text, extension] = (server?.seen ?? []).filter(({ method }) => method === "PUT");
  for (const request of [copy, text]) {
    expect(request?.headers).toMatchObject({
      "x-amz-object-lock-mode": "COMPLIANCE",
      "x-amz-object-lock-retain-until-date": expect.stringContaining("2026-12-28T11:03:07"),
    });
  }
  expect(copy?.headers["x-amz-storage-class"]).toBe("STANDARD_IA");
  expect(text?.headers).not.toHaveProperty("x-amz-storage-class");
  expect(text?.headers["content-md5"]).toBeDefined();
  expect(extension?.headers["content-md5"]).toBeDefined();
  expect(extension?.headers).not.toHaveProperty("x-amz-bypass-governance-retention");
  expect(extension?.body).toContain("<Mode>COMPLIANCE</Mode>");
});

test.each([
  ["has none", 404, "ObjectLockConfigurationNotFoundError", { state: "off" }],
  ["is in a store that knows none", 501, "NotImplemented", { state: "off" }],
])("a bucket that %s", async (_, status, code, expected) => {
  const store = await storeThat(() => ({ status, body: error(code, "no") }));

  expect(await store.bucketLock()).toEqual(expected);
});

test("a kind of store that is not known to lock is not asked", async () => {
  server = await startAnswering(() => ({ status: 200, body: "<Unexpected/>" }));
  const settings = settingsOf(`http://key:secret@127.0.0.1:${server.port}`, { bucket: "b", type: "gcp" });
  const store = new S3ObjectStore(connectS3(settings), "b");

  expect(await store.bucketLock()).toEqual({ state: "unsupported" });
  expect(await store.lockOf("key")).toBeUndefined();
  expect(server.seen).toEqual([]);
});

test("a bucket that locks by default tells how, one that may not be asked names the grant", async () => {
  const rule = "<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>30</Days></DefaultRetention></Rule>";
  const enabled = `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>${rule}</ObjectLockConfiguration>`;
  const store = await storeThat(() => ({ status: 200, body: enabled }));
  expect(await store.bucketLock()).toEqual({ state: "on", byDefault: "governance 30 days" });
  server?.close();

  const denied = await storeThat(() => ({ status: 403, body: error("AccessDenied", "Access Denied") }));
  await expect(denied.bucketLock()).rejects.toMatchObject({
    name: "StoreAccessDenied",
    message: expect.stringContaining("grant s3:GetBucketObjectLockConfiguration on arn:aws:s3:::b ("),
  });
});
