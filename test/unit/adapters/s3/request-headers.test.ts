import { afterEach, describe, expect, test } from "vitest";
import { connectS3 } from "../../../../src/adapters/s3/connection.ts";
import { S3ObjectStore } from "../../../../src/adapters/s3/object-store.ts";
import { openEnvironmentStore } from "../../../../src/adapters/store-opener.ts";
import { parseEnvironment } from "../../../../src/core/environment/yaml.ts";
import { type HttpAnswer, type SeenRequest, startAnswering } from "../../../support/http-answers.ts";

const etag = "0cc175b9c0f1b6a831c399e269772661";
const object = { key: "files/log", size: 1, etag };
let server: Awaited<ReturnType<typeof startAnswering>> | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** An S3 that does whatever it is asked for. */
function answer({ method, url, headers }: SeenRequest): HttpAnswer {
  const { searchParams } = new URL(url, "http://store");
  const quoted = { etag: `"${etag}"` };
  if (headers["x-amz-copy-source"] !== undefined) {
    const part = searchParams.has("partNumber") ? "Part" : "Object";
    return { status: 200, body: `<Copy${part}Result><ETag>"${etag}"</ETag></Copy${part}Result>` };
  }
  if (searchParams.has("list-type")) {
    return {
      status: 200,
      body: `<ListBucketResult><Name>b</Name><KeyCount>1</KeyCount><IsTruncated>false</IsTruncated><Contents><Key>files/log</Key><Size>1</Size><ETag>"${etag}"</ETag></Contents></ListBucketResult>`,
    };
  }
  if (method === "POST" && searchParams.has("uploads")) {
    return {
      status: 200,
      body: "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
    };
  }
  if (method === "POST" && searchParams.has("uploadId")) {
    return {
      status: 200,
      body: `<CompleteMultipartUploadResult><ETag>"${etag}-2"</ETag></CompleteMultipartUploadResult>`,
    };
  }
  const size = String(6 * 2 ** 20);
  if (method === "HEAD") return { status: 200, headers: { ...quoted, "content-length": size } };
  return { status: 200, headers: quoted, body: method === "GET" ? "a" : "" };
}

/** Both buckets of an environment, in one store unless a test says otherwise. */
async function open(minio: Readonly<Record<string, string>>, answering: typeof answer = answer) {
  server = await startAnswering(answering);
  const { seen, port } = server;
  const keys = { storageType: "aws", address: "127.0.0.1", port: String(port), accessKeyID: "AKIAEXAMPLE1" };
  const yaml = { ...keys, secretAccessKey: "secret", bucketName: "a", backupBucketName: "b", ...minio };
  const lines = Object.entries(yaml).map(([key, value]) => `  ${key}: ${value}`);
  const { storage, backupStorage, copyMode } = parseEnvironment(`minio:\n${lines.join("\n")}\n`, {
    name: "prod",
    fileName: "backup.yaml",
  });
  const options = { copyMode, multipartCopyThresholdBytes: 5 * 2 ** 20 };
  const milvus = new S3ObjectStore(connectS3(storage), storage.bucket, options);
  const backups = new S3ObjectStore(connectS3(backupStorage), backupStorage.bucket, options);
  return { seen, milvus, backups };
}

/** One request of every kind. */
async function askEverything(store: S3ObjectStore): Promise<void> {
  for await (const _ of store.list("files/")) break;
  await store.listDirectories("files/");
  await store.head("files/log");
  await store.getText("files/log");
  await store.readRange(object, { offset: 0, size: 1 });
  await store.putText("files/log", "a");
  await store.deleteKeys(["files/log"]);
  await store.deleteKeys(["files/log", "files/other"]);
  await store.checkAccess("files/");
}

const headerOf = (seen: readonly SeenRequest[], header: string) => new Set(seen.map(({ headers }) => headers[header]));

describe("requester pays", () => {
  test("is said with every request to that bucket, and with none to the other", async () => {
    const { seen, milvus, backups } = await open({ requesterPays: "true" });

    await askEverything(milvus);
    expect(headerOf(seen, "x-amz-request-payer")).toEqual(new Set(["requester"]));
    expect(seen.length).toBeGreaterThan(8);
    seen.length = 0;
    await askEverything(backups);

    expect(headerOf(seen, "x-amz-request-payer")).toEqual(new Set([undefined]));
  });

  test.each([1, 6 * 2 ** 20])("is said by a copy out of that bucket, of %i bytes", async (size) => {
    const { seen, milvus, backups } = await open({ requesterPays: "true" });

    await backups.copyFrom(milvus, { ...object, size }, "backup/log", { existing: null }).catch(() => undefined);

    const copies = seen.filter(({ headers }) => headers["x-amz-copy-source"] !== undefined);
    expect(copies.length).toBe(size === 1 ? 1 : 2);
    expect(headerOf(copies, "x-amz-request-payer")).toEqual(new Set(["requester"]));
  });

  test("goes along to the backups where they lie in the same bucket", () => {
    const parse = (more: string) =>
      parseEnvironment(`minio:\n  storageType: aws\n  requesterPays: true\n  acl: bucket-owner-full-control\n${more}`, {
        name: "prod",
        fileName: "backup.yaml",
      }).backupStorage;

    expect(parse("")).toMatchObject({ requesterPays: true, acl: "bucket-owner-full-control" });
    for (const more of ["  backupBucketName: other\n", "  backupAddress: other.internal\n  backupUseSSL: true\n"]) {
      expect(parse(more)).not.toHaveProperty("requesterPays");
      expect(parse(more)).not.toHaveProperty("acl");
    }
    expect(parse("  backupRequesterPays: false\n")).not.toHaveProperty("requesterPays");
  });

  test.each([
    "requesterPays: true",
    "backupRequesterPays: true",
    "backupAcl: bucket-owner-full-control",
    "bucketOwner: 111122223333",
  ])("is refused of a store that knows none of it: %s", (line) => {
    const [key = ""] = line.split(":");
    expect(() =>
      parseEnvironment(`minio:\n  storageType: gcp\n  ${line}\n`, { name: "prod", fileName: "backup.yaml" }),
    ).toThrow(
      expect.objectContaining({ message: expect.stringMatching(`minio.${key} works with minio, s3 and aws only`) }),
    );
  });
});

test("what is written belongs to the bucket's owner where that is asked for, and reads say nothing of it", async () => {
  const { seen, milvus, backups } = await open({ backupAcl: "bucket-owner-full-control" });

  await askEverything(backups);
  await backups.copyFrom(milvus, object, "backup/log", { existing: null });
  await backups
    .copyFrom(milvus, { ...object, size: 6 * 2 ** 20 }, "backup/log", { existing: null })
    .catch(() => undefined);
  await milvus.putText("files/log", "a");

  const withAcl = seen.filter(({ headers }) => headers["x-amz-acl"] === "bucket-owner-full-control");
  expect(
    withAcl.map(
      ({ method, url }) => `${method} ${new URL(url, "http://s").pathname}${/uploads/.test(url) ? "?uploads" : ""}`,
    ),
  ).toEqual(["PUT /b/files/log", "PUT /b/backup/log", "POST /b/backup/log?uploads"]);
});

describe("the owner of a bucket", () => {
  const [one, two] = ["012345678901", "444455556666"];
  const expected = "x-amz-expected-bucket-owner";
  const ofSource = "x-amz-source-expected-bucket-owner";

  test("is said with every request to that bucket, its own to each", async () => {
    const { seen, milvus, backups } = await open({ bucketOwner: one, backupBucketOwner: two });

    await askEverything(milvus);
    expect(seen.length).toBeGreaterThan(8);
    expect(headerOf(seen, expected)).toEqual(new Set([one]));
    seen.length = 0;
    await askEverything(backups);
    expect(headerOf(seen, expected)).toEqual(new Set([two]));
    expect(headerOf(seen, ofSource)).toEqual(new Set([undefined]));
  });

  test("is not said where nobody knows it, nor of the other bucket", async () => {
    const { seen, milvus, backups } = await open({ backupBucketOwner: two });

    await askEverything(milvus);
    expect(headerOf(seen, expected)).toEqual(new Set([undefined]));
    seen.length = 0;
    await backups.copyFrom(milvus, object, "backup/log", { existing: null });
    expect(seen.map(({ headers }) => [headers[expected], headers[ofSource]])).toEqual([[two, undefined]]);
  });

  test.each([1, 6 * 2 ** 20])("is said of both buckets by a copy of %i bytes", async (size) => {
    const { seen, milvus, backups } = await open({ bucketOwner: one, backupBucketOwner: two });

    await backups.copyFrom(milvus, { ...object, size }, "backup/log", { existing: null }).catch(() => undefined);

    const copies = seen.filter(({ headers }) => headers["x-amz-copy-source"] !== undefined);
    expect(copies.length).toBe(size === 1 ? 1 : 2);
    expect(headerOf(copies, ofSource)).toEqual(new Set([one]));
    // what it is compared with afterwards is read from the other bucket
    for (const { url, headers } of seen) expect(headers[expected]).toBe(url.startsWith("/a/") ? one : two);
  });

  test("goes along to the backups in the same bucket, and to no other one", async () => {
    const same = { bucketOwner: one, backupBucketName: "a" };
    const { seen, backups } = await open(same);
    await backups.head("x");
    expect(headerOf(seen, expected)).toEqual(new Set([one]));

    const { backupStorage, ...environment } = parseEnvironment(
      `minio:
  storageType: aws
  port: ${server?.port}
  address: 127.0.0.1
  backupBucketOwner: ${two}
  backupBucketName: b
`,
      { name: "prod", fileName: "backup.yaml" },
    );
    for (const bucket of ["b", "lake"]) {
      seen.length = 0;
      const store = await openEnvironmentStore({ ...environment, backupStorage }, "backup", undefined, bucket);
      await store.head("x");
      expect(headerOf(seen, expected)).toEqual(new Set([bucket === "b" ? two : undefined]));
    }
  });

  test("that is another one is told beside the grant, of the bucket and of the source of a copy", async () => {
    const refusing: typeof answer = () => ({
      status: 403,
      body: "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
    });
    const { milvus, backups } = await open(
      { bucketOwner: one, backupBucketOwner: two, copyMode: "server-side" },
      refusing,
    );

    await expect(milvus.getText("files/log")).rejects.toMatchObject({
      name: "StoreAccessDenied",
      message: expect.stringMatching(
        /grant s3:GetObject .*Where that is granted, bucket a does not belong to account 012345678901,/,
      ),
    });
    await expect(backups.copyFrom(milvus, object, "backup/log", { existing: null })).rejects.toThrow(
      /bucket b does not belong to account 444455556666 or bucket a does not belong to account 012345678901,/,
    );
  });

  test.each(["12345", "1234567890123", "arn:aws:iam::111122223333:root"])("%s is no account", (owner) => {
    expect(() =>
      parseEnvironment(
        `minio:
  bucketOwner: "${owner}"
`,
        { name: "prod", fileName: "f" },
      ),
    ).toThrow(/minio.bucketOwner must be the 12 digits of an AWS account, but is/);
  });
});

describe("tags", () => {
  test("are left behind by a copy: with none given, REPLACE takes no permission for them", async () => {
    const { seen, milvus, backups } = await open({});

    await backups.copyFrom(milvus, object, "backup/log", { existing: null });

    const [copy] = seen;
    expect(copy?.headers).toMatchObject({
      "x-amz-tagging-directive": "REPLACE",
      "x-amz-metadata-directive": "REPLACE",
    });
    expect(copy?.headers).not.toHaveProperty("x-amz-tagging");
  });

  test("are not spoken of to a store that may not know them", async () => {
    const { seen, milvus, backups } = await open({ storageType: "ali" });

    await backups.copyFrom(milvus, object, "backup/log", { existing: null });

    expect(headerOf(seen, "x-amz-tagging-directive")).toEqual(new Set([undefined]));
  });
});

describe("buckets of two regions", () => {
  const regions = { region: "eu-west-1", backupRegion: "us-east-1" };
  const refusal = "VPC endpoints do not support cross-region requests";
  const refusing: typeof answer = (request) =>
    request.headers["x-amz-copy-source"] === undefined
      ? answer(request)
      : { status: 403, body: `<Error><Code>AccessDenied</Code><Message>${refusal}</Message></Error>` };

  test("are copied between by the store where it does that", async () => {
    const { seen, milvus, backups } = await open(regions);

    await backups.copyFrom(milvus, object, "backup/log", { existing: null });

    expect(seen).toHaveLength(1);
  });

  test("are streamed between where a VPC endpoint refuses the first copy, which is not tried again", async () => {
    const { seen, milvus, backups } = await open(regions, refusing);

    for (const key of ["backup/1", "backup/2"]) await backups.copyFrom(milvus, object, key, { existing: null });

    const what = seen.map(({ method, headers }) => `${method}${headers["x-amz-copy-source"] ? " copy" : ""}`);
    expect(what).toEqual(["PUT copy", "GET", "PUT", "GET", "PUT"]);
  });

  test("are not copied where copyMode is server-side, and the message says what to set", async () => {
    const { milvus, backups } = await open({ ...regions, copyMode: "server-side" }, refusing);

    await expect(backups.copyFrom(milvus, object, "backup/log", { existing: null })).rejects.toMatchObject({
      name: "StoreAccessDenied",
      message: expect.stringMatching(/VPC endpoint .*copies nothing between regions. Set copyMode to auto or streamed/),
    });
  });

  test("in one region the same refusal is what it says: streaming would be refused as well", async () => {
    const { milvus, backups } = await open({}, refusing);

    await expect(backups.copyFrom(milvus, object, "backup/log", { existing: null })).rejects.toMatchObject({
      name: "StoreAccessDenied",
    });
  });
});
