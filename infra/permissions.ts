import { ArnFormat, Aws, Stack } from "aws-cdk-lib";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { Construct } from "constructs";
import { type DataAccess, type Owner, workKeys } from "./functions.ts";

const objectActions: Readonly<Record<DataAccess, readonly string[]>> = {
  read: ["s3:GetObject"],
  write: ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
  delete: ["s3:DeleteObject"],
};

/** Work files of one machine's executions (`any`: of all, `none`: of none), its leases and readers' marks. */
export function workBucketStatements(bucket: IBucket, machine: Owner): PolicyStatement[] {
  const { seen = [], kept, removable } = workKeys[machine];
  const keys = [...kept, ...removable];
  if (seen.length + keys.length === 0) return [];
  return [
    new PolicyStatement({
      sid: "ListWorkFiles",
      actions: ["s3:ListBucket"],
      resources: [bucket.bucketArn],
      conditions: { StringLike: { "s3:prefix": [...seen, ...keys] } },
    }),
    ...(seen.length > 0
      ? [
          new PolicyStatement({
            sid: "SeeWorkFiles",
            actions: ["s3:GetObject"],
            resources: seen.map((key) => bucket.arnForObjects(key)),
          }),
        ]
      : []),
    ...(keys.length > 0
      ? [
          new PolicyStatement({
            sid: "UseWorkFiles",
            actions: ["s3:GetObject", "s3:PutObject"],
            resources: keys.map((key) => bucket.arnForObjects(key)),
          }),
        ]
      : []),
    ...(removable.length > 0
      ? [
          new PolicyStatement({
            sid: "RemoveWorkFiles",
            actions: ["s3:DeleteObject"],
            resources: removable.map((key) => bucket.arnForObjects(key)),
          }),
        ]
      : []),
  ];
}

/** Reads registered environments; `listNames` lets the error for an unknown one name those that are there. */
export function environmentStatements(scope: Construct, prefix: string, listNames: boolean): PolicyStatement[] {
  const secrets = Stack.of(scope).formatArn({
    service: "secretsmanager",
    resource: "secret",
    resourceName: `${prefix}*`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  return [
    new PolicyStatement({
      sid: "ReadEnvironments",
      actions: ["secretsmanager:GetSecretValue"],
      resources: [secrets],
    }),
    ...(listNames
      ? [
          new PolicyStatement({
            sid: "NameEnvironments",
            actions: ["secretsmanager:ListSecrets"],
            resources: ["*"],
          }),
        ]
      : []),
  ];
}

/** The data buckets of environments with `useIAM: true`; none where no bucket is named. */
export function dataBucketStatements(buckets: readonly string[], access: readonly DataAccess[]): PolicyStatement[] {
  if (buckets.length === 0 || access.length === 0) return [];
  const arns = buckets.map((bucket) => `arn:${Aws.PARTITION}:s3:::${bucket}`);
  return [
    new PolicyStatement({
      sid: "ListDataBuckets",
      // A copy that starts again first ends uploads that a killed function left.
      actions: [
        "s3:ListBucket",
        "s3:GetBucketLocation",
        ...(access.includes("write") ? ["s3:ListBucketMultipartUploads"] : []),
      ],
      resources: arns,
    }),
    new PolicyStatement({
      sid: "UseDataBuckets",
      actions: access.flatMap((kind) => objectActions[kind]),
      resources: arns.map((arn) => `${arn}/*`),
    }),
  ];
}

/** The roles that environments with a `roleArn` name; none where no role is named. */
export function assumeRoleStatements(roles: readonly string[]): PolicyStatement[] {
  return roles.length === 0
    ? []
    : [new PolicyStatement({ sid: "AssumeRoles", actions: ["sts:AssumeRole"], resources: [...roles] })];
}

/** Customer-managed keys of buckets, whose own policies have to let the account's roles in; none where no key is named. */
export function keyStatements(
  sid: string,
  keyArns: readonly string[],
  access: readonly DataAccess[],
): PolicyStatement[] {
  const actions = [
    ...(access.includes("read") ? ["kms:Decrypt"] : []),
    // Parts of an upload are decrypted to be put together.
    ...(access.includes("write") ? ["kms:GenerateDataKey", "kms:Decrypt"] : []),
  ];
  if (keyArns.length === 0 || actions.length === 0) return [];
  return [new PolicyStatement({ sid, actions: [...new Set(actions)], resources: [...keyArns] })];
}

/** What Lambda does with the function's role to put it into a VPC; none of the actions can be limited to what exists later. */
export function networkStatement(): PolicyStatement {
  return new PolicyStatement({
    sid: "JoinNetwork",
    actions: [
      "ec2:CreateNetworkInterface",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSubnets",
      "ec2:DeleteNetworkInterface",
      "ec2:AssignPrivateIpAddresses",
      "ec2:UnassignPrivateIpAddresses",
    ],
    resources: ["*"],
  });
}

/** Whether the execution that holds a lease or a claim, or reads a backup, still runs. */
export function describeExecutionsStatement(scope: Construct, machineNames: readonly string[]): PolicyStatement {
  return new PolicyStatement({
    sid: "LookAtLeaseHolders",
    actions: ["states:DescribeExecution"],
    resources: machineNames.map((name) => executionsArn(scope, name)),
  });
}

/** Every execution of a machine. */
export function executionsArn(scope: Construct, machineName: string): string {
  return statesArn(scope, "execution", `${machineName}:*`);
}

/** `arn:aws:states:<region>:<account>:<resource>:<name>` */
export function statesArn(scope: Construct, resource: "execution" | "stateMachine", name: string): string {
  return Stack.of(scope).formatArn({
    service: "states",
    resource,
    resourceName: name,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
}
