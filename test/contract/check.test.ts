import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateBucketCommand, CreateMultipartUploadCommand, ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { connectS3 } from "../../src/adapters/s3/connection.ts";
import { S3ObjectStore } from "../../src/adapters/s3/object-store.ts";
import { neededStatements, type Side, settingsOf as storageOf } from "../../src/core/check/statements.ts";
import { parseEnvironment } from "../../src/core/environment/yaml.ts";
import { checkStores } from "../../src/steps/check/check-stores.ts";
import { authEmulator } from "../support/auth-emulator.ts";
import { parseDocument } from "../support/documents.ts";
import { settingsOf } from "../support/s3-stores.ts";
import { collect } from "./object-store.contract.ts";

const account = "333333333333";
const emulator = authEmulator("contract-check", 4591);
const yaml = `milvus: { address: 127.0.0.1 }
minio:
  storageType: s3
  address: ${emulator.host}
  port: ${emulator.port}
  useIAM: true
  bucketName: checked-milvus
  rootPath: files
  backupBucketName: checked-backups
  backupRootPath: backup
`;
const environment = parseEnvironment(yaml, { name: "checked", fileName: "checked.yaml" });
const runner = { name: "this role" };
/** What `check --simulate` prints, without what is needed sometimes only. */
const statements = neededStatements(environment, runner).flatMap(({ when, statement }) =>
  when === undefined ? [statement] : [],
);
const names = statements.map(({ Sid }) => Sid);
const roleWithout = (sid: string) => `without-${sid}`;
const stores = (["milvus", "backup"] as const).map((side) => storageOf(environment, side).bucket);
const owner = connectS3({ ...settingsOf(emulator.rootUrl(account)), bucket: "checked-milvus" });

/** A role for every statement, which has all the others; one that has all of them; and a pipeline as far as `check` looks for it. */
const template = JSON.stringify({
  Resources: {
    Work: { Type: "AWS::S3::Bucket", Properties: { BucketName: "checked-work" } },
    ...Object.fromEntries(
      ["nothing", ...names].map((missing) => [
        `Role${missing}`,
        {
          Type: "AWS::IAM::Role",
          Properties: {
            RoleName: roleWithout(missing),
            AssumeRolePolicyDocument: {
              Version: "2012-10-17",
              Statement: [
                { Effect: "Allow", Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: "sts:AssumeRole" },
              ],
            },
            Policies: [
              {
                PolicyName: "granted",
                PolicyDocument: {
                  Version: "2012-10-17",
                  Statement: [
                    ...statements.filter(({ Sid }) => Sid !== missing),
                    { Effect: "Allow", Action: "cloudformation:DescribeStacks", Resource: "*" },
                    { Effect: "Allow", Action: "s3:ListBucket", Resource: "arn:aws:s3:::checked-work" },
                    { Effect: "Allow", Action: "secretsmanager:*", Resource: "*" },
                  ],
                },
              },
            ],
          },
        },
      ]),
    ),
  },
  Outputs: {
    BackupStateMachineArn: { Value: `arn:aws:states:us-east-1:${account}:stateMachine:MilvusBackup-backup` },
    RestoreStateMachineArn: { Value: `arn:aws:states:us-east-1:${account}:stateMachine:MilvusBackup-restore` },
    WorkBucketName: { Value: "checked-work" },
    EnvironmentsPrefix: { Value: "milvus-backup/MilvusBackup/environments/" },
  },
});

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "check-"));
  await writeFile(join(folder, "checked.yaml"), yaml);
  await emulator.start();
  await emulator.deploy(account, "MilvusBackup", template);
  for (const Bucket of stores) await owner.client.send(new CreateBucketCommand({ Bucket }));
  await new S3ObjectStore(owner, "checked-milvus").putText("files/insert_log/1/2/3/100/4", "rows");
});
afterAll(async () => {
  await emulator.stop();
  await rm(folder, { recursive: true });
});
afterEach(() => vi.unstubAllEnvs());

async function credentialsOf(role: string) {
  const credentials = emulator.rootCredentials(account);
  const sts = new STSClient({ endpoint: emulator.endpoint, region: "us-east-1", credentials });
  const RoleArn = `arn:aws:iam::${account}:role/${role}`;
  const { Credentials } = await sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: "check" }));
  return {
    AWS_ACCESS_KEY_ID: Credentials?.AccessKeyId ?? "",
    AWS_SECRET_ACCESS_KEY: Credentials?.SecretAccessKey ?? "",
    AWS_SESSION_TOKEN: Credentials?.SessionToken ?? "",
  };
}

/** Checks both buckets as a role. */
async function checkAs(role: string, now = new Date()) {
  for (const [name, value] of Object.entries(await credentialsOf(role))) vi.stubEnv(name, value);
  return checkStores(environment, {
    openStore: async (side: Side) => {
      const settings = storageOf(environment, side);
      const accessPrefix = `${settings.rootPath}/`;
      // not through the opener, which keeps the connections of the role that it first ran as
      return new S3ObjectStore(connectS3(settings), settings.bucket, { accessPrefix });
    },
    clock: { now: () => now },
    runner,
    id: "0123abcd",
  });
}

/** What lies in both buckets. */
async function everything(): Promise<string[]> {
  const listed = stores.map(async (bucket) => {
    const objects = await collect(new S3ObjectStore(owner, bucket).list(""));
    return objects.map(({ key, etag }) => `${bucket}/${key} ${etag}`);
  });
  return (await Promise.all(listed)).flat();
}

describe("who has what check --simulate prints", () => {
  test("may do everything that is tried, and nothing is left of it", async () => {
    const before = await everything();

    const results = await checkAs(roleWithout("nothing"));

    expect(results.filter(({ ok }) => !ok)).toEqual([]);
    expect(results.map(({ check }) => check)).toEqual([
      ...["milvus bucket", "milvus read", "backup bucket", "staging write", "staging read", "staging upload"],
      ...["backup write", "backup read", "backup upload", "copy to backups", "copy from backups"],
      ...["staging delete", "backup delete"],
    ]);
    expect(await everything()).toEqual(before);
  });

  test.each(names)("but for %s is told that very statement", async (sid) => {
    const results = await checkAs(roleWithout(sid));

    const missing = results.flatMap((result) => result.missing ?? []);
    expect(missing).toContainEqual({ to: "the policy of this role", statement: statements[names.indexOf(sid)] });
    expect(new Set(missing.map(({ statement }) => statement.Sid))).toEqual(new Set([sid]));
    expect(results.filter(({ ok, detail }) => !ok && /not allowed|may not/.test(detail)).length).toBeGreaterThan(0);
  });

  test("after a check that might not delete, the next one that may leaves nothing", async () => {
    const time = "2026-11-01T00-00-00Z";
    const begun = { Bucket: "checked-backups", Key: `backup/milvus-backup-check-${time}-aaaaaaaa-upload` };
    const notOurs = { ...begun, Key: `backup/milvus-backup-check-${time}/binlogs/insert_log/1/2/3/0/4` };
    for (const upload of [begun, notOurs]) await owner.client.send(new CreateMultipartUploadCommand(upload));
    const left = (await everything()).filter((line) => line.includes("milvus-backup-check-"));
    expect(left.length).toBeGreaterThan(0);
    const inTwoHours = new Date(Date.now() + 7_200_000);

    await checkAs(roleWithout("nothing"), inTwoHours);

    expect((await everything()).filter((line) => line.includes("milvus-backup-check-"))).toEqual([]);
    const { Uploads = [] } = await owner.client.send(new ListMultipartUploadsCommand({ Bucket: begun.Bucket }));
    expect(Uploads.map(({ Key }) => Key)).toContain(notOurs.Key);
    expect(Uploads.map(({ Key }) => Key)).not.toContain(begun.Key);
  });
});

describe("the command", () => {
  const run = async (role: string, ...words: string[]) =>
    execa(
      process.execPath,
      ["cli/bin.js", "--config", join(folder, "checked.yaml"), ...words, "check", "--no-milvus"],
      {
        env: { ...(await credentialsOf(role)), AWS_ENDPOINT_URL: emulator.endpoint, AWS_REGION: "us-east-1" },
        reject: false,
        stdin: "ignore",
      },
    );

  test("names what is denied, prints the statement to paste, and exits with 1", async () => {
    const { exitCode, stdout, stderr } = await run(roleWithout("WriteBackups"));

    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^✗ backup write +.* is not allowed s3:PutObject on backup\/milvus-backup-check-/m);
    const [, who, policy = ""] = /^Into the policy of (\S+):\n(\{[\s\S]*\})\s*$/m.exec(stdout) ?? [];
    expect(who).toBe(`arn:aws:sts::${account}:assumed-role/without-WriteBackups/check`);
    expect(JSON.parse(policy)).toEqual({
      Version: "2012-10-17",
      Statement: [statements[names.indexOf("WriteBackups")]],
    });
    expect(stderr).toContain("check --deployed");
  });

  test("passes with that statement, also as JSON", async () => {
    const { exitCode, stdout } = await run(roleWithout("nothing"), "--json");

    expect(exitCode).toBe(0);
    expect(parseDocument(stdout)).toMatchObject({
      kind: "checks",
      ok: true,
      triedBy: expect.stringContaining("nothing"),
    });
  });
});
