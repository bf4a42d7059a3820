import { createHash } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import { connectS3 } from "../../../../src/adapters/s3/connection.ts";
import { S3ObjectStore } from "../../../../src/adapters/s3/object-store.ts";
import { type HttpAnswer, type SeenRequest, startAnswering } from "../../../support/http-answers.ts";
import { settingsOf } from "../../../support/s3-stores.ts";

const body = "content of a large object";
const md5 = createHash("md5").update(body).digest("hex");
const inParts = `${"a".repeat(32)}-2`;

let server: Awaited<ReturnType<typeof startAnswering>> | undefined;
afterEach(() => server?.close());

/** A store whose HEADs and GETs answer so, of whatever key; other requests with what a copy answers. */
async function storeWith(headers: Record<string, string>, copiedEtag = inParts) {
  const answer = ({ method }: SeenRequest): HttpAnswer => {
    if (method === "PUT") {
      return { status: 200, body: `<CopyObjectResult><ETag>"${copiedEtag}"</ETag></CopyObjectResult>` };
    }
    return { status: 200, body, headers: { "content-length": String(body.length), ...headers } };
  };
  server = await startAnswering(answer);
  const settings = settingsOf(`http://key:secret@127.0.0.1:${server.port}`, { bucket: "b" });
  return new S3ObjectStore(connectS3(settings), "b");
}

const objectWith = (etag: string) => ({ key: "files/1", size: body.length, etag });
const reads = () => server?.seen.filter(({ method }) => method === "GET").length;

describe("the checksum of an object that is skipped", () => {
  test("is its MD5 where the ETag is one, without another request", async () => {
    const store = await storeWith({});
    const existing = { ...objectWith(md5), key: "to/1" };

    const copied = await store.copyFrom(store, objectWith(md5), "to/1", { existing });

    expect(copied).toMatchObject({ skipped: true, checksum: `md5:${md5}` });
    expect(server?.seen).toEqual([]);
  });

  test.each([
    ["an object in parts", inParts, inParts, {}],
    ["a copy in parts of an object that was not", inParts, md5, { "x-amz-meta-source-etag": md5 }],
  ])("is what the store reports of the whole: %s", async (_, there, from, metadata) => {
    const store = await storeWith({ etag: `"${there}"`, "x-amz-checksum-crc64nvme": "AAAA=", ...metadata });
    const existing = { ...objectWith(there), key: "to/1" };

    const copied = await store.copyFrom(store, objectWith(from), "to/1", { existing });

    expect(copied).toMatchObject({ skipped: true, checksum: "crc64nvme:AAAA=" });
    expect(reads()).toBe(0);
  });

  test.each([
    ["nothing", {}],
    ["a checksum of the parts' checksums only", { "x-amz-checksum-crc32": "AAAA=-2" }],
    ["an ETag that is no MD5, as with KMS", { "x-amz-server-side-encryption": "aws:kms" }],
  ])("is computed by reading it where the store tells %s", async (_, headers) => {
    const etag = "x-amz-server-side-encryption" in headers ? "b".repeat(32) : inParts;
    const store = await storeWith({ etag: `"${etag}"`, "x-amz-meta-source-etag": inParts, ...headers });
    const existing = { ...objectWith(etag), key: "to/1" };

    const copied = await store.copyFrom(store, objectWith(inParts), "to/1", { existing });

    expect(copied).toMatchObject({ skipped: true, checksum: `md5:${md5}` });
    expect(server?.seen.find(({ method }) => method === "GET")?.headers["if-match"]).toBe(`"${etag}"`);
  });
});

describe("the checksum of a copy within one store", () => {
  test.each<[string, Record<string, string>, string, number]>([
    ["is what both sides report", { "x-amz-checksum-crc64nvme": "AAAA=" }, "crc64nvme:AAAA=", 0],
    ["is computed by reading the copy where neither side reports one", {}, `md5:${md5}`, 1],
  ])("of an object in parts %s", async (_, headers, checksum, times) => {
    const store = await storeWith({ etag: `"${inParts}"`, ...headers });

    const copied = await store.copyFrom(store, objectWith(inParts), "to/1", { existing: null });

    expect(copied).toMatchObject({ skipped: false, checksum });
    expect(reads()).toBe(times);
  });
});

describe("whether a content is what a checksum says", () => {
  const crc64 = "crc64nvme:AAAA=";
  const kms = { etag: `"${md5}"`, "x-amz-server-side-encryption": "aws:kms" };

  test.each<[string, Record<string, string>, string, boolean | undefined]>([
    ["an ETag that is its MD5", { etag: `"${md5}"` }, `md5:${md5}`, true],
    ["another ETag that is an MD5", { etag: `"${"b".repeat(32)}"` }, `md5:${md5}`, false],
    ["what the store keeps of the whole", { etag: `"${inParts}"`, "x-amz-checksum-crc64nvme": "AAAA=" }, crc64, true],
    ["something else that it keeps", { etag: `"${inParts}"`, "x-amz-checksum-crc64nvme": "BBBB=" }, crc64, false],
    [
      "a checksum of another kind",
      { etag: `"${inParts}"`, "x-amz-checksum-crc64nvme": "AAAA=" },
      `md5:${md5}`,
      undefined,
    ],
    ["an ETag with KMS, which only looks like an MD5", kms, `md5:${"c".repeat(32)}`, undefined],
    ["nothing", { etag: `"${inParts}"` }, crc64, undefined],
  ])("is told by one HEAD: %s", async (_, headers, checksum, expected) => {
    const store = await storeWith(headers);
    const object = objectWith((headers.etag ?? "").slice(1, -1));

    expect(await store.hasContent(object, checksum, { read: false })).toBe(expected);
    expect(server?.seen.map(({ method }) => method)).toEqual(["HEAD"]);
  });

  test.each([
    [`md5:${md5}`, true],
    [`md5:${"c".repeat(32)}`, false],
    ["unknown:AAAA=", undefined],
  ])("is found by reading it where the store tells nothing: %s", async (checksum, expected) => {
    const store = await storeWith({ etag: `"${inParts}"` });

    expect(await store.hasContent(objectWith(inParts), checksum, { read: true })).toBe(expected);
    expect(reads()).toBe(expected === undefined ? 0 : 1);
  });
});
