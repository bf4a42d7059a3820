import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connectS3 } from "../../../../src/adapters/s3/connection.ts";
import { S3ObjectStore } from "../../../../src/adapters/s3/object-store.ts";
import { type HttpAnswer, type SeenRequest, startAnswering } from "../../../support/http-answers.ts";
import { settingsOf } from "../../../support/s3-stores.ts";

const mebibyte = 2 ** 20;
const key = "backup/n/meta/full_meta.json";
const large = "é".repeat(9 * mebibyte);

/** What S3 is asked, in short: `begin`, `part 1`, `complete`, `abort`, `look`, `put`. */
function kindOf({ method, url }: SeenRequest): string {
  const query = new URL(url, "http://x").searchParams;
  if (method === "HEAD") return "look";
  if (method === "GET" && query.has("uploads")) return "list uploads";
  if (method === "POST") return query.has("uploads") ? "begin" : "complete";
  if (method === "DELETE") return `abort ${query.get("uploadId")}`;
  return query.has("partNumber") ? `part ${query.get("partNumber")}` : "put";
}

const fault = (status: number, code: string): HttpAnswer => ({
  status,
  body: `<Error><Code>${code}</Code><Message>${code}</Message></Error>`,
});
const completed = '<CompleteMultipartUploadResult><ETag>"e-3"</ETag></CompleteMultipartUploadResult>';
const usual: Readonly<Record<string, HttpAnswer>> = {
  look: { status: 404 },
  "list uploads": { status: 200, body: "<ListMultipartUploadsResult></ListMultipartUploadsResult>" },
  begin: {
    status: 200,
    body: "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>",
  },
  complete: { status: 200, body: completed },
};

let answers: Record<string, HttpAnswer | (() => HttpAnswer)>;
let server: Awaited<ReturnType<typeof startAnswering>>;
let store: S3ObjectStore;

beforeEach(async () => {
  answers = { ...usual };
  server = await startAnswering((request) => {
    const answer = answers[kindOf(request)] ?? { status: 200, headers: { etag: '"e"' } };
    return typeof answer === "function" ? answer() : answer;
  });
  const settings = settingsOf(`http://key:secret@127.0.0.1:${server.port}`, { bucket: "b" });
  store = new S3ObjectStore(connectS3(settings), "b");
});
afterEach(() => server.close());

const asked = () => server.seen.map(kindOf);
const requestsFor = (kind: string) => server.seen.filter((request) => kindOf(request) === kind);

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Written in pieces of an odd length, so that parts end within them. */
async function upload(text: string) {
  const writer = store.openText(key);
  const piece = 1_000_001;
  for (let start = 0; start < text.length; start += piece) await writer.write(text.slice(start, start + piece));
  return writer;
}

describe("a small text", () => {
  test("is one conditional request, and says what was written", async () => {
    const writer = await upload("Zürich 東京");

    expect(writer.written).toEqual({ size: Buffer.byteLength("Zürich 東京"), sha256: sha256("Zürich 東京") });
    expect(asked()).toEqual([]);
    expect(await writer.finish({ ifAbsent: true })).toBe(true);

    expect(asked()).toEqual(["look", "put"]);
    expect(requestsFor("put")[0]).toMatchObject({ body: "Zürich 東京", headers: { "if-none-match": "*" } });
  });

  test("is not written where somebody was first", async () => {
    answers.put = fault(412, "PreconditionFailed");
    const writer = await upload("x");

    expect(await writer.finish({ ifAbsent: true })).toBe(false);
  });

  test("leaves nothing to abort", async () => {
    const writer = await upload("x");

    await writer.abort();

    expect(asked()).toEqual([]);
  });
});

describe("a large text", () => {
  test("goes out in parts of one size while it is written, and appears with the last request", async () => {
    const writer = await upload(large);
    const before = asked();
    expect(writer.written).toEqual({ size: 18 * mebibyte, sha256: sha256(large) });

    expect(await writer.finish({ ifAbsent: true })).toBe(true);

    expect(before.slice(0, 3)).toEqual(["list uploads", "begin", "part 1"]);
    expect(before).not.toContain("complete");
    expect(asked().slice(-3)).toEqual(["part 3", "look", "complete"]);
    const bodies = ["part 1", "part 2", "part 3"].map((part) => requestsFor(part)[0]?.body ?? "");
    expect(bodies.map((body) => Buffer.byteLength(body))).toEqual([8 * mebibyte, 8 * mebibyte, 2 * mebibyte]);
    expect(sha256(bodies.join(""))).toBe(sha256(large));
    expect(requestsFor("complete")[0]?.headers).toMatchObject({ "if-none-match": "*" });
  });

  test("replaces what is there when not asked for a condition", async () => {
    answers.look = { status: 200, headers: { "content-length": "1", etag: '"other"' } };
    const writer = await upload(large);

    expect(await writer.finish()).toBe(true);

    expect(asked()).not.toContain("look");
    expect(requestsFor("complete")[0]?.headers["if-none-match"]).toBeUndefined();
  });

  test.each<[string, Record<string, HttpAnswer>]>([
    ["lay there before, in a store that knows no conditions", { look: { status: 200, headers: { etag: '"o"' } } }],
    ["appeared at the last moment", { complete: fault(412, "PreconditionFailed") }],
  ])("gives way to what %s, and leaves no parts", async (_, changed) => {
    const writer = await upload(large);
    Object.assign(answers, changed);

    expect(await writer.finish({ ifAbsent: true })).toBe(false);

    expect(asked().at(-1)).toBe("abort u1");
  });

  test("is completed without a condition in a store that has none for it", async () => {
    let calls = 0;
    answers.complete = () => {
      calls += 1;
      return calls === 1 ? fault(501, "NotImplemented") : { status: 200, body: completed };
    };
    const writer = await upload(large);

    expect(await writer.finish({ ifAbsent: true })).toBe(true);

    expect(requestsFor("complete").map(({ headers }) => headers["if-none-match"])).toEqual(["*", undefined]);
  });

  test("that was completed by a request whose answer was lost is found by whoever compares", async () => {
    let looks = 0;
    answers.complete = fault(404, "NoSuchUpload");
    answers.look = () => {
      looks += 1;
      return looks === 1 ? { status: 404 } : { status: 200, headers: { etag: '"e-3"' } };
    };
    const writer = await upload(large);

    expect(await writer.finish({ ifAbsent: true })).toBe(false);
  });

  test("that another run has ended is to be written again", async () => {
    answers["part 2"] = fault(404, "NoSuchUpload");
    const writer = await upload(large);

    await expect(writer.finish()).rejects.toMatchObject({
      name: "StoreBusy",
      message: expect.stringMatching(/full_meta\.json .* was ended by somebody else/),
    });
    expect(asked()).not.toContain("complete");
  });

  test("that failed is thrown by the next call, and aborted leaves nothing", async () => {
    answers["part 1"] = fault(403, "AccessDenied");

    await expect(upload(large)).rejects.toMatchObject({ name: "StoreAccessDenied" });

    expect(asked()).not.toContain("part 2");
  });

  test("is aborted once, after its last part has come to an end", async () => {
    const writer = await upload(large);

    await writer.abort();
    await writer.abort();

    expect(asked().filter((kind) => kind.startsWith("abort"))).toEqual(["abort u1"]);
    expect(asked().at(-1)).toBe("abort u1");
  });

  test("removes the parts that a killed process left of it first", async () => {
    const left = ["u0", "other"].map(
      (id) => `<Upload><Key>${id === "u0" ? key : `${key}.bak`}</Key><UploadId>${id}</UploadId></Upload>`,
    );
    answers["list uploads"] = {
      status: 200,
      body: `<ListMultipartUploadsResult>${left.join("")}</ListMultipartUploadsResult>`,
    };

    await (await upload(large)).finish();

    expect(asked().slice(0, 3)).toEqual(["list uploads", "abort u0", "begin"]);
    expect(asked()).not.toContain("abort other");
  });
});
