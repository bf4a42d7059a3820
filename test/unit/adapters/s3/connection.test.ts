import { DeleteObjectsCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterEach, describe, expect, test, vi } from "vitest";
import { connectOwnS3, connectS3, type S3Connection } from "../../../../src/adapters/s3/connection.ts";
import type { StorageSettings } from "../../../../src/core/environment/environment.ts";
import { parseEnvironment } from "../../../../src/core/environment/yaml.ts";

interface SentRequest {
  readonly url: string;
  readonly headers: Record<string, string>;
}

/** Sends a request up to the point where it would leave, signed, and answers what would go out. */
async function sent(
  connection: S3Connection,
  command: ListObjectsV2Command | DeleteObjectsCommand | PutObjectCommand,
): Promise<SentRequest> {
  let seen: SentRequest | undefined;
  connection.client.middlewareStack.add(
    () => async (args) => {
      const { protocol, hostname, port, path, headers } = args.request as {
        protocol: string;
        hostname: string;
        port?: number;
        path: string;
        headers: Record<string, string>;
      };
      seen = { url: `${protocol}//${hostname}${port === undefined ? "" : `:${port}`}${path}`, headers };
      throw Object.assign(new Error("not sent"), { $metadata: { httpStatusCode: 400 } });
    },
    // behind the signature and the retries
    { step: "finalizeRequest", priority: "low", name: "capture" },
  );
  await connection.client.send(command as ListObjectsV2Command).catch(() => undefined);
  if (seen === undefined) throw new Error("no request was made");
  return seen;
}

function storage(minio: string): StorageSettings {
  const yaml = `minio:\n${minio.replaceAll(/^\s*/gm, "  ")}\n`;
  return parseEnvironment(yaml, { name: "prod", fileName: "backup.yaml" }).storage;
}

const keys = "accessKeyID: AKIAEXAMPLE1\nsecretAccessKey: store-secret";
const list = (bucket: string) => new ListObjectsV2Command({ Bucket: bucket });

afterEach(() => vi.unstubAllEnvs());

describe("addresses, as milvus-backup sets them", () => {
  test.each([
    ["MinIO, path style", "address: 10.0.0.5\nport: 9000", "http://10.0.0.5:9000/bucket-a/", "us-east-1"],
    [
      "MinIO by name",
      "address: minio.internal\nport: 443\nuseSSL: true",
      "https://minio.internal/bucket-a/",
      "us-east-1",
    ],
    [
      "AWS by its regional host",
      "storageType: aws\naddress: s3.eu-west-1.amazonaws.com\nport: 443\nuseSSL: true",
      "https://bucket-a.s3.eu-west-1.amazonaws.com/",
      "eu-west-1",
    ],
    [
      "AWS by its global host, in a region",
      "storageType: s3\naddress: s3.amazonaws.com\nport: 443\nuseSSL: true\nregion: eu-west-1",
      "https://bucket-a.s3.eu-west-1.amazonaws.com/",
      "eu-west-1",
    ],
    [
      "AWS in China",
      "storageType: aws\naddress: s3.cn-north-1.amazonaws.com.cn\nport: 443\nuseSSL: true",
      "https://bucket-a.s3.cn-north-1.amazonaws.com.cn/",
      "cn-north-1",
    ],
    ["Google", "storageType: gcp", "https://bucket-a.storage.googleapis.com/", "auto"],
    // milvus-backup signs for `auto` whatever region is given
    ["Google, with a region", "storageType: gcp\nregion: eu", "https://bucket-a.storage.googleapis.com/", "auto"],
    [
      "Alibaba by another of its names, the region from the host",
      "storageType: aliyun\naddress: oss-cn-shanghai-internal.aliyuncs.com\nport: 80",
      "http://bucket-a.oss-cn-shanghai-internal.aliyuncs.com/",
      "cn-shanghai",
    ],
    [
      "Alibaba as an s3 store",
      "storageType: s3\naddress: oss-cn-hangzhou.aliyuncs.com\nport: 443\nuseSSL: true",
      "https://bucket-a.oss-cn-hangzhou.aliyuncs.com/",
      "cn-hangzhou",
    ],
    [
      "Tencent, the region from the host",
      "storageType: tencent\naddress: cos.ap-singapore.myqcloud.com\nport: 443\nuseSSL: true",
      "https://bucket-a.cos.ap-singapore.myqcloud.com/",
      "ap-singapore",
    ],
    [
      "Huawei, the region from the host",
      "storageType: hwc\naddress: obs.cn-north-4.myhuaweicloud.com\nport: 443\nuseSSL: true",
      "https://bucket-a.obs.cn-north-4.myhuaweicloud.com/",
      "cn-north-4",
    ],
    [
      "MinIO with TLS on its own port",
      "address: minio.internal\nuseSSL: true",
      "https://minio.internal:9000/bucket-a/",
      "us-east-1",
    ],
    [
      "MinIO in a region of its own",
      "address: minio.internal\nregion: hall-2",
      "http://minio.internal:9000/bucket-a/",
      "hall-2",
    ],
    ["MinIO by an IPv6 address", 'address: "::1"', "http://[::1]:9000/bucket-a/", "us-east-1"],
    [
      "Alibaba",
      "storageType: ali\naddress: oss-cn-hangzhou.aliyuncs.com\nport: 443\nuseSSL: true\nregion: cn-hangzhou",
      "https://bucket-a.oss-cn-hangzhou.aliyuncs.com/",
      "cn-hangzhou",
    ],
    [
      "Tencent",
      "storageType: tc\naddress: cos.ap-guangzhou.myqcloud.com\nport: 443\nuseSSL: true\nregion: ap-guangzhou",
      "https://bucket-a.cos.ap-guangzhou.myqcloud.com/",
      "ap-guangzhou",
    ],
  ])("%s", async (_, minio, url, region) => {
    const request = await sent(connectS3(storage(`${minio}\n${keys}\nbucketName: bucket-a`)), list("bucket-a"));

    expect(request.url).toBe(url);
    expect(request.headers.authorization).toContain(`Credential=AKIAEXAMPLE1/`);
    expect(request.headers.authorization).toContain(`/${region}/s3/aws4_request`);
  });

  test("a bucket with a dot is not put into a host name that no certificate covers", async () => {
    const minio = `storageType: aws\naddress: s3.eu-west-1.amazonaws.com\nport: 443\nuseSSL: true\nbucketName: a.b\n${keys}`;

    expect((await sent(connectS3(storage(minio)), list("a.b"))).url).toBe("https://s3.eu-west-1.amazonaws.com/a.b/");
  });

  test("AWS_ENDPOINT_URL moves the pipeline's own client, and no environment's", async () => {
    vi.stubEnv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566");
    vi.stubEnv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:4566");
    vi.stubEnv("AWS_REGION", "ap-south-1");
    vi.stubEnv("AWS_ACCESS_KEY_ID", "AKIAOWNROLE1");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "own");
    const minio = `address: minio.internal\n${keys}`;

    const ofEnvironment = await sent(connectS3(storage(minio)), list("bucket-a"));
    const own = await sent(connectOwnS3(), list("work"));

    expect(ofEnvironment.url).toBe("http://minio.internal:9000/bucket-a/");
    expect(ofEnvironment.headers.authorization).toContain("Credential=AKIAEXAMPLE1/");
    expect(own.url).toBe("http://127.0.0.1:4566/work/");
    expect(own.headers.authorization).toContain("Credential=AKIAOWNROLE1/");
  });
});

describe("credentials", () => {
  test("a session token is sent along", async () => {
    const request = await sent(connectS3(storage(`${keys}\ntoken: session-token`)), list("bucket-a"));

    expect(request.headers["x-amz-security-token"]).toBe("session-token");
  });

  test("with useIAM the role of whoever runs this signs, at the environment's own address", async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", "ASIALAMBDA01");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "lambda");
    vi.stubEnv("AWS_SESSION_TOKEN", "lambda-token");

    const request = await sent(connectS3(storage("useIAM: true")), list("bucket-a"));

    expect(request.url).toBe("http://localhost:9000/bucket-a/");
    expect(request.headers.authorization).toContain("Credential=ASIALAMBDA01/");
    expect(request.headers["x-amz-security-token"]).toBe("lambda-token");
  });

  test("each side of an environment signs with its own keys, whatever the other side's are", async () => {
    const yaml = `minio:
  address: minio-a.internal
  accessKeyID: KEYOFMILVUS
  secretAccessKey: secret-of-milvus
  token: token-of-milvus
  backupAddress: minio-b.internal
  backupAccessKeyID: KEYOFBACKUP
  backupSecretAccessKey: secret-of-backup
`;
    const environment = parseEnvironment(yaml, { name: "prod", fileName: "backup.yaml" });

    const milvus = await sent(connectS3(environment.storage), list("bucket-a"));
    const backup = await sent(connectS3(environment.backupStorage), list("bucket-b"));

    expect(milvus.headers).toMatchObject({
      authorization: expect.stringContaining("Credential=KEYOFMILVUS/"),
      "x-amz-security-token": "token-of-milvus",
    });
    expect(backup.url).toBe("http://minio-b.internal:9000/bucket-b/");
    expect(backup.headers.authorization).toContain("Credential=KEYOFBACKUP/");
    expect(backup.headers["x-amz-security-token"]).toBeUndefined();
  });

  test("identities tell stores and signers apart, and hold no secret", () => {
    const one = connectS3(storage(`address: s3.eu-west-1.amazonaws.com\n${keys}`));
    const other = connectS3(storage("address: s3.us-west-2.amazonaws.com\naccessKeyID: AKIAOTHER\nsecretAccessKey: x"));
    const minio = connectS3(storage(`address: minio.internal\n${keys}`));

    expect(one.endpointIdentity).toBe(other.endpointIdentity);
    expect(one.credentialsIdentity).not.toBe(other.credentialsIdentity);
    expect(minio.endpointIdentity).not.toBe(one.endpointIdentity);
    expect(minio.credentialsIdentity).toBe(one.credentialsIdentity);
    expect(one.signer).toBe("access key ...PLE1");
    expect(JSON.stringify([one.endpointIdentity, one.credentialsIdentity, one.signer])).not.toContain("store-secret");
  });
});

describe("headers that every store takes", () => {
  test("a delete of many keys carries Content-MD5 and no newer checksum", async () => {
    const command = new DeleteObjectsCommand({ Bucket: "bucket-a", Delete: { Objects: [{ Key: "a" }, { Key: "b" }] } });

    const { headers } = await sent(connectS3(storage(keys)), command);

    expect(headers["content-md5"]).toMatch(/^[A-Za-z0-9+/]{22}==$/);
    expect(Object.keys(headers).filter((header) => header.includes("checksum"))).toEqual([]);
  });

  test("a write carries no newer checksum", async () => {
    const { headers } = await sent(
      connectS3(storage(keys)),
      new PutObjectCommand({ Bucket: "bucket-a", Key: "a", Body: "x" }),
    );

    expect(Object.keys(headers).filter((header) => /checksum|trailer/.test(header))).toEqual([]);
  });
});
