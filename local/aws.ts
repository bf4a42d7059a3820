import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { binDir, localDir } from "./paths.ts";
import { pythonFile } from "./python.ts";
import type { Service } from "./service.ts";

/** The account, the region and the keys of everything in the emulator. */
export const aws = {
  host: "127.0.0.1",
  port: 4566,
  endpoint: "http://127.0.0.1:4566",
  region: "us-east-1",
  account: "000000000000",
  accessKeyId: "test",
  secretAccessKey: "test",
};

/** The CloudFormation stack that the project deploys. */
export const stackName = "MilvusBackup";

/** What every AWS SDK and the CLI take from the environment to reach the emulator. */
export const awsEnvironment = {
  AWS_ENDPOINT_URL: aws.endpoint,
  AWS_REGION: aws.region,
  AWS_DEFAULT_REGION: aws.region,
  AWS_ACCESS_KEY_ID: aws.accessKeyId,
  AWS_SECRET_ACCESS_KEY: aws.secretAccessKey,
};

/** To be sourced by a shell: `. .local/aws.env`. */
export const awsEnvFile = join(localDir, "aws.env");

/** Writes the file that points a shell at the emulator. */
export async function writeAwsEnvFile(): Promise<void> {
  const variables = { ...awsEnvironment, MILVUS_BACKUP_STACK: stackName };
  const lines = Object.entries(variables).map(([name, value]) => `export ${name}=${value}\n`);
  await writeFile(awsEnvFile, lines.join(""));
}

/** The AWS emulator (MiniStack), with the buckets that have to be there. All it holds is in its memory. */
export function awsService({ buckets }: { buckets: string[] }): Service {
  const dataDir = join(localDir, "aws");
  // Lambda code is unpacked here. Under the project it would find the project's packages and its module type, which it does
  // not have in AWS.
  const tmpDir = join(
    tmpdir(),
    `milvus-backup-local-${createHash("sha256").update(localDir).digest("hex").slice(0, 8)}`,
  );
  return {
    name: "aws",
    address: `${aws.host}:${aws.port}`,
    ports: [aws.port],
    dataDirs: [dataDir, tmpDir],
    inMemory: true,
    startTimeoutMs: 60_000,
    async prepare() {
      return {
        file: pythonFile,
        args: ["-m", "ministack"],
        cwd: dataDir,
        // Lambda functions inherit this environment: nothing of the user's own may be in it.
        env: {
          PATH: [binDir, process.env.PATH ?? "/usr/bin:/bin"].join(delimiter),
          HOME: dataDir,
          TMPDIR: tmpDir,
          STATE_DIR: join(dataDir, "state"),
          S3_DATA_DIR: join(dataDir, "s3"),
          BIND_HOST: aws.host,
          GATEWAY_PORT: String(aws.port),
          MINISTACK_HOST: aws.host,
          MINISTACK_REGION: aws.region,
          MINISTACK_ACCOUNT_ID: aws.account,
          LAMBDA_EXECUTOR: "local",
          PYTHONUNBUFFERED: "1",
        },
      };
    },
    async checkHealth(signal) {
      const response = await fetch(`${aws.endpoint}/_ministack/ready`, { signal });
      if (!response.ok) throw new Error(`HTTP ${response.status}: ${await response.text()}`);
    },
    async provision() {
      const s3 = s3Client();
      try {
        for (const Bucket of buckets) await s3.send(new CreateBucketCommand({ Bucket }));
      } finally {
        s3.destroy();
      }
    },
  };
}

/** An S3 client of the emulator. */
export function s3Client(): S3Client {
  const { endpoint, region, accessKeyId, secretAccessKey } = aws;
  return new S3Client({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, forcePathStyle: true });
}
