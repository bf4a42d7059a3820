import { readdirSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from "@aws-sdk/client-s3";
import pLimit from "p-limit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import * as z from "zod";
import { aws } from "../../local/index.ts";
import { projectDir } from "../../local/paths.ts";
import { configs, milvusBackup, milvusBackupJson, type RestoreDocument } from "../support/e2e/cli.ts";
import { connectToServer, dropCollections } from "../support/e2e/milvus.ts";
import { makeReadable, readRows } from "../support/e2e/snapshot.ts";

/** In the emulator a 12-digit access key is an account; the pipeline runs in another one (000000000000). */
const sourceAccount = "111111111111";
const bucket = "backups-of-another-account";
const goldenFolder = fileURLToPath(new URL("../fixtures/milvus-backup-0.5.16/", import.meta.url));
const expectedRows = z
  .record(z.string(), z.object({ rows: z.array(z.record(z.string(), z.unknown())) }))
  .parse(JSON.parse(readFileSync(new URL("../fixtures/milvus-backup-0.5.16.expected.json", import.meta.url), "utf8")));

const suffix = "_across";
const restored = { collection: `by_tenant${suffix}` };

const source = new S3Client({
  endpoint: aws.endpoint,
  region: aws.region,
  credentials: { accessKeyId: sourceAccount, secretAccessKey: "test" },
  forcePathStyle: true,
});

async function sourceObjects(): Promise<string[]> {
  const found: string[] = [];
  for await (const { Contents = [] } of paginateListObjectsV2({ client: source }, { Bucket: bucket })) {
    found.push(...Contents.map(({ Key = "", ETag = "" }) => `${Key} ${ETag}`));
  }
  return found;
}

async function uploadBackup(name: string): Promise<void> {
  const limit = pLimit(16);
  const files = readdirSync(goldenFolder, { recursive: true, encoding: "utf8" }).filter((path) =>
    statSync(join(goldenFolder, path)).isFile(),
  );
  await Promise.all(
    files.map((path) =>
      limit(async () => {
        const Body = readFileSync(join(goldenFolder, path));
        await source.send(new PutObjectCommand({ Bucket: bucket, Key: `backup/${name}/${path}`, Body }));
      }),
    ),
  );
}

async function emptySource(): Promise<void> {
  const Objects = (await sourceObjects()).map((object) => ({ Key: object.slice(0, object.indexOf(" ")) }));
  if (Objects.length > 0) await source.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }));
}

let folder: string;

/** The backup.yaml of milvus-b with its backups in the bucket of the other account, reached by these keys. */
async function configWith(name: string, keys: Readonly<Record<string, string>>): Promise<string> {
  const yaml = parse(await readFile(join(projectDir, configs.b), "utf8")) as { minio: Record<string, unknown> };
  const { backupAccessKeyID: _, backupSecretAccessKey: __, ...minio } = yaml.minio;
  const file = join(folder, `${name}.yaml`);
  const across = { backupStorageType: "s3", backupBucketName: bucket, backupRootPath: "backup" };
  await writeFile(file, stringify({ ...yaml, minio: { ...minio, ...across, ...keys } }));
  return file;
}

const roleIn = (account: string) => ({
  backupRoleArn: `arn:aws:iam::${account}:role/milvus-backup-reader`,
  backupExternalId: "agreed-between-us",
  backupIamEndpoint: aws.endpoint,
});

/**
 * What the role may do, and what is told where it may not, is held by test/contract/cross-account.test.ts on an emulator that
 * enforces IAM; this one only keeps the accounts apart.
 */
describe("a backup that lies in another account", async () => {
  const b = await connectToServer("milvus-b");
  let before: string[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "cross-account-"));
    await dropCollections(b, restored.collection);
    await source.send(new CreateBucketCommand({ Bucket: bucket }));
    await emptySource();
    await uploadBackup("my_backup");
    before = await sourceObjects();
  });
  afterAll(async () => {
    await emptySource();
    await source.send(new DeleteBucketCommand({ Bucket: bucket }));
    source.destroy();
    await rm(folder, { recursive: true });
  });

  test("is restored through a role of that account, row by row", async () => {
    const config = await configWith("across-accounts", roleIn(sourceAccount));

    const document = await milvusBackupJson<RestoreDocument>(
      ...["--config", config, "restore", "--replace", "-n", "my_backup", "-c", "by_tenant", "-s", suffix],
    );

    expect(document.collections).toMatchObject([{ from: "default.by_tenant", to: `default.${restored.collection}` }]);
    await makeReadable(b, restored, "bits");
    const rows = await readRows(b, restored);
    const wanted = expectedRows["default.by_tenant"]?.rows ?? [];
    expect(rows).toHaveLength(wanted.length);
    expect(rows.map(({ $meta, ...fields }) => ({ ...fields, ...Object($meta) }))).toEqual(
      [...wanted].sort((one, other) => (String(one.key) < String(other.key) ? -1 : 1)),
    );
  });

  test("stays as it is", async () => {
    expect(await sourceObjects()).toEqual(before);
  });

  test("is not reached with the pipeline's own role, and the missing grant is named", async () => {
    const config = await configWith("own-role", { backupUseIAM: "true" });

    const run = await milvusBackup("--config", config, "restore", "--replace", "-n", "my_backup", "-s", "_never");

    expect(run.exitCode).toBe(1);
    expect(run.stderr).toContain("StoreAccessDenied");
    expect(run.stderr).toContain(`grant s3:ListBucket on arn:aws:s3:::${bucket} with s3:prefix like backup/*`);
  });

  test("is not reached through a role of a third account, which is named", async () => {
    const config = await configWith("third-account", roleIn("333333333333"));

    const run = await milvusBackup("--config", config, "restore", "--replace", "-n", "my_backup", "-s", "_never");

    expect(run.exitCode).toBe(1);
    expect(run.stderr).toContain(
      "role arn:aws:iam::333333333333:role/milvus-backup-reader is not allowed s3:ListBucket",
    );
    expect(run.stderr).not.toContain("agreed-between-us");
  });
});
