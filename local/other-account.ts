import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  waitUntilStackCreateComplete,
} from "@aws-sdk/client-cloudformation";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { aws } from "./aws.ts";
import { LocalStackError } from "./errors.ts";
import { projectDir } from "./paths.ts";

const stack = "milvus-backup-reader";

/** An account of the emulator beside the stack's own: an access key of 12 digits is one. */
interface OtherAccount {
  account: string;
  /** The bucket that holds its backups; made where it is not there. */
  bucket: string;
  /** What the role lets others read of it. */
  prefix: string;
  externalId: string;
}

/**
 * Makes a bucket in another account of the emulator, and the role of docs/cross-account/backup-reader.yaml that lets this
 * account's pipeline read backups in it. Throws LocalStackError with CloudFormation's reason.
 */
export async function createOtherAccount(of: OtherAccount, say: (line: string) => void): Promise<void> {
  const s3 = new S3Client({ ...clientOf(of.account), forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket: of.bucket }));
  await removeOtherAccount(of.account);
  const cloudFormation = new CloudFormationClient(clientOf(of.account));
  const parameters = {
    Bucket: of.bucket,
    Prefix: of.prefix,
    TrustedAccount: aws.account,
    TrustedRoles: `arn:aws:iam::${aws.account}:role/*`,
    ExternalId: of.externalId,
  };
  await cloudFormation.send(
    new CreateStackCommand({
      StackName: stack,
      TemplateBody: await readFile(join(projectDir, "docs", "cross-account", "backup-reader.yaml"), "utf8"),
      Capabilities: ["CAPABILITY_NAMED_IAM"],
      Parameters: Object.entries(parameters).map(([ParameterKey, ParameterValue]) => ({
        ParameterKey,
        ParameterValue,
      })),
    }),
  );
  const { state, reason } = await waitUntilStackCreateComplete(
    { client: cloudFormation, maxWaitTime: 60, minDelay: 1 },
    { StackName: stack },
  );
  if (String(state) !== "SUCCESS") throw new LocalStackError(`the role was not made: ${JSON.stringify(reason)}`);
  say(`account ${of.account}: bucket ${of.bucket}, role arn:aws:iam::${of.account}:role/milvus-backup-reader`);
}

/** Removes the role; what lies in the bucket stays. */
async function removeOtherAccount(account: string): Promise<void> {
  await new CloudFormationClient(clientOf(account)).send(new DeleteStackCommand({ StackName: stack }));
}

function clientOf(account: string) {
  return {
    endpoint: aws.endpoint,
    region: aws.region,
    credentials: { accessKeyId: account, secretAccessKey: aws.secretAccessKey },
  };
}
