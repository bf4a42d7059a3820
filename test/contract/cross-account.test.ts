import { readFileSync } from "node:fs";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { connectS3 } from "../../src/adapters/s3/connection.ts";
import { S3ObjectStore } from "../../src/adapters/s3/object-store.ts";
import { parseEnvironment } from "../../src/core/environment/yaml.ts";
import { authEmulator } from "../support/auth-emulator.ts";
import { settingsOf } from "../support/s3-stores.ts";
import { collect } from "./object-store.contract.ts";

const source = "111111111111";
const target = "222222222222";
const bucket = "backups-of-source";
/** One whose policy lets the target account's functions in. */
const openBucket = "open-backups-of-source";
const externalId = "agreed-between-us";
const emulator = authEmulator("contract-auth", 4590);
/** The role that the source account makes, by the template that the docs tell to use. */
const template = readFileSync(new URL("../../docs/cross-account/backup-reader.yaml", import.meta.url), "utf8");
const bucketPolicy = readFileSync(
  new URL("../../docs/cross-account/backup-bucket-policy.yaml", import.meta.url),
  "utf8",
);
const functionsRole = `arn:aws:iam::${target}:role/MilvusBackup-CopySegments`;

/** What the emulator takes for the role of a session is the session itself; AWS takes the role. */
const trusted = (role: string) =>
  [`arn:aws:iam::${target}:role/${role}`, `arn:aws:sts::${target}:assumed-role/${role}/*`].join(",");

function reader(RoleName: string, more: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const TrustedRoles = trusted("MilvusBackup-*");
  const granted = { Bucket: bucket, Prefix: "backup/my_backup", TrustedAccount: target, TrustedRoles };
  return { RoleName, ...granted, ExternalId: externalId, ...more };
}

/** The functions' roles of a deployment with `assumableRoles`, and one of a deployment without. */
const targetTemplate = JSON.stringify({
  Resources: Object.fromEntries(
    [
      ["MilvusBackup-CopySegments", `arn:aws:iam::${source}:role/*`],
      ["Other-CopySegments", `arn:aws:iam::${source}:role/*`],
      ["MilvusBackup-NoGrant", `arn:aws:iam::${source}:role/somebody-elses`],
    ].map(([RoleName, assumable], index) => [
      `Role${index}`,
      {
        Type: "AWS::IAM::Role",
        Properties: {
          RoleName,
          AssumeRolePolicyDocument: {
            Version: "2012-10-17",
            Statement: [
              { Effect: "Allow", Principal: { AWS: `arn:aws:iam::${target}:root` }, Action: "sts:AssumeRole" },
            ],
          },
          Policies: [
            {
              PolicyName: "assume",
              PolicyDocument: {
                Version: "2012-10-17",
                Statement: [
                  { Effect: "Allow", Action: "sts:AssumeRole", Resource: assumable },
                  // what `backupBuckets` of pipeline.yaml grants
                  { Effect: "Allow", Action: ["s3:ListBucket"], Resource: `arn:aws:s3:::${openBucket}` },
                  { Effect: "Allow", Action: ["s3:GetObject"], Resource: `arn:aws:s3:::${openBucket}/*` },
                ],
              },
            },
          ],
        },
      },
    ]),
  ),
});

/** A role as the template makes it, less the statement of that name. */
function without(statement: "ListBackups" | "ReadBackups"): string {
  const start = template.indexOf(`              - Sid: ${statement}`);
  const next = template.indexOf("              - Sid:", start + 1);
  const end = next === -1 ? template.indexOf("Outputs:") : next;
  return template.slice(0, start) + template.slice(end);
}

beforeAll(async () => {
  await emulator.start();
  await emulator.deploy(target, "MilvusBackup", targetTemplate);
  await Promise.all([
    emulator.deploy(source, "reader", template, reader("backup-reader")),
    emulator.deploy(source, "unlisted", without("ListBackups"), reader("no-list")),
    emulator.deploy(source, "unread", without("ReadBackups"), reader("no-read")),
  ]);
  const owner = connectS3({ ...settingsOf(emulator.rootUrl(source)), bucket });
  for (const name of [bucket, openBucket]) {
    await owner.client.send(new CreateBucketCommand({ Bucket: name }));
    const store = new S3ObjectStore(owner, name);
    await store.putText("backup/my_backup/meta/full_meta.json", "{}");
    await store.putText("backup/my_backup/binlogs/insert_log/1/2/3/3/0/4", "rows");
    await store.putText("backup/other/meta/full_meta.json", "{}");
  }
  await emulator.deploy(source, "bucket-policy", bucketPolicy, {
    Bucket: openBucket,
    Prefix: "backup/my_backup",
    TrustedAccount: target,
    // to the emulator every role of another account is that account
    TrustedRoles: `arn:aws:iam::${target}:root`,
  });
});
afterAll(() => emulator.stop());
beforeEach(() => runAs("MilvusBackup-CopySegments"));
afterEach(() => vi.unstubAllEnvs());

/** From here on this process has the credentials of a function's role, as Lambda hands them out. */
async function runAs(role: string): Promise<void> {
  const sts = new STSClient({
    endpoint: emulator.endpoint,
    region: "us-east-1",
    credentials: emulator.rootCredentials(target),
  });
  const RoleArn = `arn:aws:iam::${target}:role/${role}`;
  const { Credentials } = await sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: "function" }));
  vi.stubEnv("AWS_ACCESS_KEY_ID", Credentials?.AccessKeyId ?? "");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", Credentials?.SecretAccessKey ?? "");
  vi.stubEnv("AWS_SESSION_TOKEN", Credentials?.SessionToken ?? "");
}

/** The backups as an environment of the target account opens them. */
function backups(role = "backup-reader", id = externalId) {
  const yaml = `minio:
  storageType: s3
  address: ${emulator.host}
  port: ${emulator.port}
  bucketName: bucket-of-target
  useIAM: true
  backupBucketName: ${bucket}
  backupRootPath: backup
  backupRoleArn: arn:aws:iam::${source}:role/${role}
  backupExternalId: ${id}
  backupIamEndpoint: ${emulator.endpoint}
`;
  const { backupStorage } = parseEnvironment(yaml, { name: "dr", fileName: "dr.yaml" });
  // not through the opener, which keeps the connections of the role that it first ran as
  return new S3ObjectStore(connectS3(backupStorage), bucket, { accessPrefix: "backup/" });
}

describe("with trust and grant", () => {
  test("the backup is listed and read", async () => {
    const store = backups();

    await store.checkAccess("backup/my_backup/");
    const keys = (await collect(store.list("backup/my_backup/"))).map(({ key }) => key);

    expect(keys).toEqual(["backup/my_backup/binlogs/insert_log/1/2/3/3/0/4", "backup/my_backup/meta/full_meta.json"]);
    expect(await store.getText("backup/my_backup/meta/full_meta.json")).toBe("{}");
    expect(await store.head("backup/my_backup/milvus-backup-manifest.json")).toBeUndefined();
  });

  test("its objects are streamed into a bucket of the other account", async () => {
    const own = connectS3({ ...settingsOf(emulator.rootUrl(target)), bucket: "bucket-of-target" });
    await own.client.send(new CreateBucketCommand({ Bucket: "bucket-of-target" }));
    const milvusBucket = new S3ObjectStore(own, "bucket-of-target");
    const [object] = await collect(backups().list("backup/my_backup/binlogs/"));
    if (object === undefined) throw new Error("the test did not put its object");

    await milvusBucket.copyFrom(backups(), object, "files/log");

    expect(await milvusBucket.getText("files/log")).toBe("rows");
  });

  test("nothing else is listed, read or written", async () => {
    const store = backups();

    await expect(collect(store.list("backup/other/"))).rejects.toMatchObject({ name: "StoreAccessDenied" });
    await expect(store.checkAccess("")).rejects.toMatchObject({ name: "StoreAccessDenied" });
    await expect(store.getText("backup/other/meta/full_meta.json")).rejects.toMatchObject({
      name: "StoreAccessDenied",
    });
    await expect(store.putText("backup/my_backup/mine", "x")).rejects.toMatchObject({
      name: "StoreAccessDenied",
      message: expect.stringContaining(`grant s3:PutObject on arn:aws:s3:::${bucket}/backup/*`),
    });
    await expect(store.deleteKeys(["backup/my_backup/meta/full_meta.json"])).rejects.toMatchObject({
      name: "StoreAccessDenied",
    });
  });
});

describe("a statement that is missing is named", () => {
  test("trust: another external ID", async () => {
    await expect(backups("backup-reader", "a-guess").checkAccess("backup/my_backup/")).rejects.toMatchObject({
      name: "StoreAccessDenied",
      message: expect.stringMatching(
        `role arn:aws:iam::${source}:role/backup-reader cannot be assumed by ${functionsRole}: its trust policy must allow sts:AssumeRole to principal ${functionsRole} \\(with sts:ExternalId`,
      ),
    });
  });

  test("trust: another principal", async () => {
    await runAs("Other-CopySegments");

    await expect(backups().checkAccess("backup/my_backup/")).rejects.toMatchObject({
      name: "StoreAccessDenied",
      message: expect.stringContaining(`principal arn:aws:iam::${target}:role/Other-CopySegments`),
    });
  });

  test("the own side's grant to assume the role", async () => {
    await runAs("MilvusBackup-NoGrant");

    await expect(backups().checkAccess("backup/my_backup/")).rejects.toMatchObject({
      name: "StoreAccessDenied",
      message: expect.stringContaining(
        `sts:AssumeRole on arn:aws:iam::${source}:role/backup-reader (roleArns in pipeline.yaml`,
      ),
    });
  });

  test("a role that does not exist", async () => {
    await expect(backups("nobody").checkAccess("backup/my_backup/")).rejects.toMatchObject({
      name: "StoreAccessDenied",
      message: expect.stringContaining(`role arn:aws:iam::${source}:role/nobody cannot be assumed`),
    });
  });

  test("s3:ListBucket on the bucket, with the prefix", async () => {
    await expect(backups("no-list").checkAccess("backup/my_backup/")).rejects.toMatchObject({
      name: "StoreAccessDenied",
      message: expect.stringMatching(
        `role/no-list is not allowed s3:ListBucket .*grant s3:ListBucket on arn:aws:s3:::${bucket} with s3:prefix like backup/\\*`,
      ),
    });
  });

  test("s3:GetObject on the objects", async () => {
    const store = backups("no-read");
    await store.checkAccess("backup/my_backup/");

    await expect(store.getText("backup/my_backup/meta/full_meta.json")).rejects.toMatchObject({
      name: "StoreAccessDenied",
      message: expect.stringMatching(
        `role/no-read is not allowed s3:GetObject .*grant s3:GetObject on arn:aws:s3:::${bucket}/backup/\\*`,
      ),
    });
  });
});

describe("with the policy of the bucket in place of a role", () => {
  /** With useIAM and no role: the functions' own role signs. */
  function backupsAsOwnRole() {
    const yaml = `minio:
  storageType: s3
  address: ${emulator.host}
  port: ${emulator.port}
  useIAM: true
  backupBucketName: ${openBucket}
  backupRootPath: backup
`;
    const { backupStorage } = parseEnvironment(yaml, { name: "dr", fileName: "dr.yaml" });
    return new S3ObjectStore(connectS3(backupStorage), openBucket, { accessPrefix: "backup/" });
  }

  test("the functions' own role reads the backup, and nothing else", async () => {
    const store = backupsAsOwnRole();

    await store.checkAccess("backup/my_backup/");

    expect(await store.getText("backup/my_backup/meta/full_meta.json")).toBe("{}");
    await expect(store.checkAccess("backup/other/")).rejects.toMatchObject({ name: "StoreAccessDenied" });
    await expect(store.getText("backup/other/meta/full_meta.json")).rejects.toMatchObject({
      name: "StoreAccessDenied",
      message: expect.stringContaining(`grant s3:GetObject on arn:aws:s3:::${openBucket}/backup/*`),
    });
  });
});
