import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { connectS3 } from "../../../../src/adapters/s3/connection.ts";
import { S3ObjectStore } from "../../../../src/adapters/s3/object-store.ts";
import { parseEnvironment } from "../../../../src/core/environment/yaml.ts";
import { type HttpAnswer, startAnswering } from "../../../support/http-answers.ts";

const role = "arn:aws:iam::111111111111:role/reads-backups";
const caller = "arn:aws:sts::222222222222:assumed-role/MilvusBackup-CopySegments/session";

const credentialsXml = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
  <AccessKeyId>ASIAASSUMED1</AccessKeyId><SecretAccessKey>assumed-secret</SecretAccessKey><SessionToken>assumed-token</SessionToken>
  <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`;
const emptyList =
  "<ListBucketResult><Name>bucket-b</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>";

function stsError(code: string, message: string): string {
  return `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`;
}

let sts: Awaited<ReturnType<typeof startAnswering>>;
let s3: Awaited<ReturnType<typeof startAnswering>>;
let stsAnswer: HttpAnswer;

beforeEach(async () => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "ASIALAMBDA01");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "lambda-secret");
  vi.stubEnv("AWS_SESSION_TOKEN", "lambda-token");
  stsAnswer = { status: 200, body: credentialsXml };
  sts = await startAnswering(() => stsAnswer);
  s3 = await startAnswering(() => ({ status: 200, body: emptyList }));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all([sts.close(), s3.close()]);
});

function openBackups(minio = "backupExternalId: between-us") {
  const yaml = `minio:
  address: 127.0.0.1
  port: ${s3.port}
  accessKeyID: KEYOFMILVUS
  secretAccessKey: secret-of-milvus
  backupBucketName: bucket-b
  backupRoleArn: ${role}
  backupIamEndpoint: ${sts.url}
  ${minio}
`;
  const { backupStorage } = parseEnvironment(yaml, { name: "dr", fileName: "backup.yaml" });
  return new S3ObjectStore(connectS3(backupStorage), backupStorage.bucket, { accessPrefix: "backup/" });
}

describe("a role", () => {
  test("is assumed with the caller's credentials and the external ID, at the iamEndpoint", async () => {
    await openBackups().checkAccess();

    const [asked] = sts.seen;
    expect(Object.fromEntries(new URLSearchParams(asked?.body))).toMatchObject({
      Action: "AssumeRole",
      RoleArn: role,
      ExternalId: "between-us",
    });
    expect(asked?.headers.authorization).toContain("Credential=ASIALAMBDA01/");
  });

  test("signs requests, and neither the caller nor Milvus's keys do", async () => {
    await openBackups().checkAccess();

    expect(s3.seen[0]?.headers).toMatchObject({
      authorization: expect.stringContaining("Credential=ASIAASSUMED1/"),
      "x-amz-security-token": "assumed-token",
    });
  });

  test("is assumed once for many requests", async () => {
    const store = openBackups();

    for (let request = 0; request < 3; request += 1) await store.checkAccess();

    expect(sts.seen).toHaveLength(1);
    expect(s3.seen).toHaveLength(3);
  });

  test("without an external ID is asked for without one", async () => {
    await openBackups("").checkAccess();

    expect(new URLSearchParams(sts.seen[0]?.body).has("ExternalId")).toBe(false);
  });
});

describe("a role that cannot be assumed", () => {
  test("for want of trust: role, principal and both statements are named, the external ID is not", async () => {
    const message = `User: ${caller} is not authorized to perform: sts:AssumeRole on resource: ${role}`;
    stsAnswer = { status: 403, body: stsError("AccessDenied", message) };

    const problem = await openBackups()
      .checkAccess()
      .catch((error: Error) => error);

    expect(problem).toMatchObject({
      name: "StoreAccessDenied",
      kind: "permanent",
      details: { roleArn: role, principal: "arn:aws:iam::222222222222:role/MilvusBackup-CopySegments" },
    });
    expect(String(problem)).toContain(
      `its trust policy must allow sts:AssumeRole to principal arn:aws:iam::222222222222:role/MilvusBackup-CopySegments`,
    );
    expect(String(problem)).toContain("sts:ExternalId");
    expect(String(problem)).toContain(`sts:AssumeRole on ${role} (roleArns in pipeline.yaml`);
    expect(String(problem)).not.toContain("between-us");
    expect(s3.seen).toEqual([]);
  });

  test("in a function: the principal is named with the path of its role, which the answer leaves out", async () => {
    vi.stubEnv("ROLE_PATH", "/milvus-backup/MilvusBackup/");
    const message = `User: ${caller} is not authorized to perform: sts:AssumeRole on resource: ${role}`;
    stsAnswer = { status: 403, body: stsError("AccessDenied", message) };

    await expect(openBackups().checkAccess()).rejects.toMatchObject({
      details: { principal: "arn:aws:iam::222222222222:role/milvus-backup/MilvusBackup/MilvusBackup-CopySegments" },
    });
  });

  test("since the caller's own credentials have expired", async () => {
    stsAnswer = {
      status: 403,
      body: stsError("ExpiredToken", "The security token included in the request is expired"),
    };

    await expect(openBackups().checkAccess()).rejects.toMatchObject({
      name: "StoreAccessDenied",
      message: expect.stringMatching(/does not take the credentials of whoever runs this \(ExpiredToken/),
    });
  });

  test("since its ARN is none", async () => {
    stsAnswer = { status: 400, body: stsError("ValidationError", "x is invalid") };

    await expect(openBackups().checkAccess()).rejects.toMatchObject({
      name: "StoreAccessDenied",
      message: expect.stringContaining("ValidationError: x is invalid: check roleArn (or backupRoleArn)"),
    });
  });

  test("since nobody answers for STS: its address is named, not the store's", async () => {
    await sts.close();

    await expect(openBackups().checkAccess()).rejects.toMatchObject({
      name: "StoreUnreachable",
      message: expect.stringContaining(`${sts.url} cannot be reached (ECONNREFUSED): check iamEndpoint`),
    });
  });

  test("since there are no credentials to do it with", async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", "");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "");
    vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
    vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    vi.stubEnv("AWS_CONFIG_FILE", "/dev/null");

    await expect(openBackups().checkAccess()).rejects.toMatchObject({
      name: "StoreAccessDenied",
      message: expect.stringContaining("no credentials to assume it with"),
    });
  });
});

test("without a role nobody is asked: the keys sign", async () => {
  const yaml = `minio:\n  address: 127.0.0.1\n  port: ${s3.port}\n  accessKeyID: KEYOFMILVUS\n  secretAccessKey: s\n`;
  const { storage } = parseEnvironment(yaml, { name: "dr", fileName: "backup.yaml" });

  await connectS3(storage).client.send(new ListObjectsV2Command({ Bucket: "bucket-a" }));

  expect(s3.seen[0]?.headers.authorization).toContain("Credential=KEYOFMILVUS/");
  expect(sts.seen).toEqual([]);
});
