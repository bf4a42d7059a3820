import { afterEach, describe, expect, test } from "vitest";
import { openEnvironmentStore } from "../../../../src/adapters/store-opener.ts";
import type { Environment } from "../../../../src/core/environment/environment.ts";
import { parseEnvironment } from "../../../../src/core/environment/yaml.ts";
import type { ObjectStore } from "../../../../src/ports/object-store.ts";
import { type HttpAnswer, type SeenRequest, startAnswering } from "../../../support/http-answers.ts";

let server: Awaited<ReturnType<typeof startAnswering>> | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** Opens the backups of an environment in a store that answers so. */
async function storeAnswering(answer: (request: SeenRequest) => HttpAnswer): Promise<ObjectStore> {
  server = await startAnswering(answer);
  return openEnvironmentStore(environmentAt(server.port), "backup");
}

function environmentAt(port: number): Environment {
  const yaml = `minio:
  storageType: s3
  address: 127.0.0.1
  port: ${port}
  accessKeyID: AKIAEXAMPLE1
  secretAccessKey: store-secret
  token: store-token
  bucketName: bucket-a
  backupBucketName: bucket-b
  backupRootPath: backup
`;
  return parseEnvironment(yaml, { name: "prod", fileName: "backup.yaml" });
}

function s3Error(code: string, message: string, more = ""): string {
  return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message>${more}<RequestId>R</RequestId></Error>`;
}

function emptyList(request: SeenRequest, ...keys: string[]): HttpAnswer {
  const contents = keys.map((key) => `<Contents><Key>${key}</Key><Size>1</Size><ETag>"e"</ETag></Contents>`).join("");
  const prefix = new URL(request.url, "http://x").searchParams.get("prefix") ?? "";
  return {
    status: 200,
    body: `<ListBucketResult><Name>bucket-b</Name><Prefix>${prefix}</Prefix><KeyCount>${keys.length}</KeyCount><IsTruncated>false</IsTruncated>${contents}</ListBucketResult>`,
  };
}

/** As AWS answers them, of which every message has to name bucket and address. */
const answers: readonly [string, HttpAnswer, string, RegExp][] = [
  [
    "a bucket in another region, asked by the wrong endpoint",
    {
      status: 301,
      headers: { "x-amz-bucket-region": "eu-west-1" },
      body: s3Error(
        "PermanentRedirect",
        "The bucket you are attempting to access must be addressed using the specified endpoint.",
        "<Endpoint>bucket-b.s3-eu-west-1.amazonaws.com</Endpoint><Bucket>bucket-b</Bucket>",
      ),
    },
    "StoreFailed",
    /lies in region eu-west-1 .*signed for region us-east-1: set region \(or backupRegion\) to eu-west-1/,
  ],
  [
    "a signature for another region",
    {
      status: 400,
      body: s3Error(
        "AuthorizationHeaderMalformed",
        "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-central-1'",
        "<Region>eu-central-1</Region>",
      ),
    },
    "StoreFailed",
    /lies in region eu-central-1 .*to eu-central-1/,
  ],
  [
    "a new bucket whose name has not spread yet",
    {
      status: 307,
      headers: { location: "https://bucket-b.s3.eu-west-1.amazonaws.com/?list-type=2" },
      body: s3Error("TemporaryRedirect", "Please re-send this request to the specified temporary endpoint."),
    },
    "StoreFailed",
    /lies in another region \(TemporaryRedirect\).*set region/,
  ],
  [
    "a proxy's redirect to a login page",
    { status: 302, headers: { location: "https://login.example/?next=%2Fbucket-b", "content-type": "text/html" } },
    "StoreFailed",
    /answers with a redirect to https:\/\/login\.example \(HTTP 302\), which is not followed/,
  ],
  [
    "a missing grant",
    { status: 403, body: s3Error("AccessDenied", "Access Denied") },
    "StoreAccessDenied",
    /access key \.\.\.PLE1 is not allowed s3:ListBucket .*grant s3:ListBucket on arn:aws:s3:::bucket-b with s3:prefix like backup\/\*/,
  ],
  [
    "an expired token",
    { status: 400, body: s3Error("ExpiredToken", "The provided token has expired.") },
    "StoreAccessDenied",
    /the session token of access key \.\.\.PLE1 has expired: renew it/,
  ],
  [
    "a token of other keys",
    { status: 403, body: s3Error("InvalidToken", "The provided token is malformed or otherwise invalid.") },
    "StoreAccessDenied",
    /does not know access key \.\.\.PLE1 \(InvalidToken\)/,
  ],
  [
    "an unknown access key",
    { status: 403, body: s3Error("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist.") },
    "StoreAccessDenied",
    /does not know access key \.\.\.PLE1/,
  ],
  [
    "a clock that is wrong",
    {
      status: 403,
      body: s3Error(
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
      ),
    },
    "StoreFailed",
    /clock/,
  ],
  ["no such bucket", { status: 404, body: s3Error("NoSuchBucket", "no") }, "BucketNotFound", /create it, or correct/],
];

test.each([
  ["backup", "bucket-b", "minio.backupBucketName"],
  ["milvus", "bucket-a", "minio.bucketName"],
] as const)(
  "the %s bucket that is not there is told with the key that names it, whatever is asked",
  async (side, bucket, key) => {
    server = await startAnswering(() => ({ status: 404, body: s3Error("NoSuchBucket", "no") }));
    const store = await openEnvironmentStore(environmentAt(server.port), side);
    const told = {
      name: "BucketNotFound",
      message: expect.stringMatching(`${bucket} does .* correct ${key} of environment prod$`),
    };

    await expect(store.checkAccess()).rejects.toMatchObject(told);
    await expect(store.listDirectories("backup/")).rejects.toMatchObject(told);
    await expect(store.getText("backup/n/meta/full_meta.json")).rejects.toMatchObject(told);
  },
);

test("a bucket that is asked for by its name is not told with a key", async () => {
  server = await startAnswering(() => ({ status: 404, body: s3Error("NoSuchBucket", "no") }));
  const store = await openEnvironmentStore(environmentAt(server.port), "backup", undefined, "exports");

  await expect(store.checkAccess()).rejects.toThrow(/exports does not exist .* correct the bucket name$/);
});

describe("a listing that AWS answers with", () => {
  test.each(answers)("%s", async (_, answer, name, message) => {
    const store = await storeAnswering(() => answer);

    const problem = await store.checkAccess().catch((error: Error) => error);

    expect(problem).toMatchObject({ name, message: expect.stringMatching(message) });
    expect(String(problem)).toContain("bucket-b");
    expect(String(problem)).toContain(`127.0.0.1:${server?.port}`);
    expect(JSON.stringify([problem, String(problem)])).not.toMatch(/store-secret|store-token|AKIAEXAMPLE1/);
    // none of these is better a second time
    expect(server?.seen).toHaveLength(1);
  });
});

describe("a HEAD, whose answers have no body", () => {
  test("in another region names it from the header", async () => {
    const store = await storeAnswering(() => ({ status: 400, headers: { "x-amz-bucket-region": "ap-south-1" } }));

    await expect(store.head("backup/n/meta/full_meta.json")).rejects.toMatchObject({
      name: "StoreFailed",
      message: expect.stringMatching(/bucket-b .*in region ap-south-1/),
    });
  });
});

/** AWS tells what is missing from what is forbidden only to those who may list the whole bucket. */
describe("a role that may list and read one backup only", () => {
  const key = "backup/n/milvus-backup-manifest.json";
  const refused: HttpAnswer = { status: 403, body: s3Error("AccessDenied", "Access Denied") };
  const lists = (request: SeenRequest) => request.url.includes("list-type=2");

  test("finds that an object is not there", async () => {
    const store = await storeAnswering((request) => (lists(request) ? emptyList(request, `${key}.bak`) : refused));

    expect(await store.head(key)).toBeUndefined();
    await expect(store.getText(key)).rejects.toMatchObject({ name: "ObjectNotFound" });
  });

  test("is told of the missing grant where the object is there", async () => {
    const store = await storeAnswering((request) => (lists(request) ? emptyList(request, key) : refused));

    await expect(store.getText(key)).rejects.toMatchObject({
      name: "StoreAccessDenied",
      message: expect.stringContaining("grant s3:GetObject on arn:aws:s3:::bucket-b/backup/*"),
    });
    await expect(store.head(key)).rejects.toMatchObject({ name: "StoreAccessDenied" });
  });

  test("is told of the missing grant where it may not list either", async () => {
    const store = await storeAnswering(() => refused);

    await expect(store.getText(key)).rejects.toMatchObject({ name: "StoreAccessDenied" });
  });
});

describe("copies that are to be server-side", () => {
  test("between two stores are refused before any request", async () => {
    const yaml = (port: number) => `minio:\n  address: 127.0.0.1\n  port: ${port}\n  copyMode: server-side\n`;
    const open = (port: number) =>
      openEnvironmentStore(parseEnvironment(yaml(port), { name: "e", fileName: "e.yaml" }), "backup");
    const object = { key: "backup/n/1", size: 1, etag: "e" };

    await expect((await open(1)).copyFrom(await open(2), object, "files/1", { existing: null })).rejects.toMatchObject({
      name: "InvalidEnvironment",
      message: expect.stringMatching(
        /copyMode is server-side, but .*127\.0\.0\.1:2 and .*127\.0\.0\.1:1 .*auto or streamed/,
      ),
    });
  });

  test("name both grants where the store refuses", async () => {
    const store = await storeAnswering(() => ({ status: 403, body: s3Error("AccessDenied", "Access Denied") }));
    const object = { key: "backup/n/1", size: 1, etag: "e" };

    await expect(store.copyFrom(store, object, "backup/m/1", { existing: null })).rejects.toMatchObject({
      name: "StoreAccessDenied",
      message: expect.stringMatching(
        /grant s3:PutObject on .*backup\/\* and s3:GetObject on arn:aws:s3:::bucket-b\/\*/,
      ),
    });
  });
});
