import { ArnFormat, Aws, Stack } from "aws-cdk-lib";
import type { IEventBus } from "aws-cdk-lib/aws-events";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { Construct } from "constructs";
import { besideBackups, reportName } from "../src/core/format/layout.ts";
import { type DataAccess, type Owner, workKeys } from "./functions.ts";
import type { Grant, Wildcard } from "./grants.ts";

const objectActions: Readonly<Record<Exclude<DataAccess, "prove" | "report">, readonly string[]>> = {
  read: ["s3:GetObject"],
  write: ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
  delete: ["s3:DeleteObject"],
  "ask-locks": [],
  "see-locks": ["s3:GetObjectRetention"],
  lock: ["s3:PutObjectRetention"],
};

/** Work files of one machine's executions (`any`: of all, `none`: of none), and readers' marks. */
export function workBucketGrants(bucket: IBucket, machine: Owner): Grant[] {
  const { seen = [], kept, removable } = workKeys[machine];
  const keys = [...kept, ...removable];
  if (seen.length + keys.length === 0) return [];
  const aboutSubjects = (key: string) => ({
    arn: bucket.arnForObjects(key),
    reason: "Keys hold what they are about: a backup or a restore target that nobody knows at deployment.",
  });
  const subjects = removable.map(aboutSubjects);
  return [
    {
      sid: "ListWorkFiles",
      actions: ["s3:ListBucket"],
      resources: [bucket.bucketArn],
      conditions: { StringLike: { "s3:prefix": [...seen, ...keys] } },
    },
    ...(seen.length > 0
      ? [{ sid: "SeeWorkFiles", actions: ["s3:GetObject"], resources: seen.map(aboutSubjects) }]
      : []),
    ...(keys.length > 0
      ? [
          {
            sid: "UseWorkFiles",
            actions: ["s3:GetObject", "s3:PutObject"],
            resources: [...kept.map((key) => executionFiles(bucket, key)), ...subjects],
          },
        ]
      : []),
    ...(subjects.length > 0 ? [{ sid: "RemoveWorkFiles", actions: ["s3:DeleteObject"], resources: subjects }] : []),
  ];
}

/** Files of executions, by a pattern of their keys. */
export function executionFiles(bucket: IBucket, keys: string): Wildcard {
  return {
    arn: bucket.arnForObjects(keys),
    reason: "Keys hold the execution's name, which is not known before it starts. The bucket holds work files only.",
  };
}

/** Reads registered environments; `listNames` lets the error for an unknown one name those that are there. */
export function environmentGrants(scope: Construct, prefix: string, listNames: boolean): Grant[] {
  const secrets = Stack.of(scope).formatArn({
    service: "secretsmanager",
    resource: "secret",
    resourceName: `${prefix}*`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  return [
    {
      sid: "ReadEnvironments",
      actions: ["secretsmanager:GetSecretValue"],
      resources: [
        {
          arn: secrets,
          reason:
            "Environments are registered after the deployment, below a prefix that belongs to this stack; Secrets Manager adds six characters to each name.",
        },
      ],
    },
    ...(listNames
      ? [
          {
            sid: "NameEnvironments",
            actions: ["secretsmanager:ListSecrets"],
            resources: [
              {
                arn: "*",
                reason:
                  "ListSecrets has no resource-level permissions; it answers names, which the error for an unknown one says.",
              },
            ],
          },
        ]
      : []),
  ];
}

/** The data buckets of environments with `useIAM: true`; none where no bucket is named. */
export function dataBucketGrants(buckets: readonly string[], access: readonly DataAccess[]): Grant[] {
  if (buckets.length === 0 || access.length === 0) return [];
  const arns = buckets.map((bucket) => `arn:${Aws.PARTITION}:s3:::${bucket}`);
  const uploads = access.includes("write") || access.includes("prove");
  return [
    {
      sid: "ListDataBuckets",
      // A copy that starts again first ends uploads that a killed function left.
      actions: [
        "s3:ListBucket",
        "s3:GetBucketLocation",
        ...(uploads ? ["s3:ListBucketMultipartUploads"] : []),
        ...(access.includes("ask-locks") ? ["s3:GetBucketObjectLockConfiguration"] : []),
      ],
      resources: arns,
    },
    {
      sid: "UseDataBuckets",
      actions: access.flatMap((kind) => (kind === "prove" || kind === "report" ? [] : objectActions[kind])),
      resources: arns.map((arn) => ({
        arn: `${arn}/*`,
        reason: "Objects of a bucket that the deployment names, in a directory tree that Milvus names.",
      })),
    },
    ...(access.includes("prove") ? besideBackupGrants(arns) : []),
    ...(access.includes("report")
      ? [
          {
            sid: "WriteReport",
            actions: ["s3:PutObject"],
            resources: arns.map((arn) => ({
              arn: `${arn}/*${reportName}`,
              reason: "One key, below the root path of an environment that is registered after the deployment.",
            })),
          },
        ]
      : []),
  ];
}

/** What lies beside the logs and metas of backups: nothing that a backup is made of can be changed with it. */
function besideBackupGrants(arns: readonly string[]): Grant[] {
  const { kept, removable } = besideBackups;
  const objects = (keys: readonly string[]) =>
    arns.flatMap((arn) =>
      keys.map((key) => ({
        arn: `${arn}/${key}`,
        reason: "Backups are named when they are made, below any root path.",
      })),
    );
  return [
    { sid: "WriteBesideBackups", actions: objectActions.write, resources: objects([...kept, ...removable]) },
    { sid: "RemoveBesideBackups", actions: objectActions.delete, resources: objects(removable) },
  ];
}

/** The roles that environments with a `roleArn` name; none where no role is named. */
export function assumeRoleGrants(roles: readonly string[]): Grant[] {
  return roles.length === 0 ? [] : [{ sid: "AssumeRoles", actions: ["sts:AssumeRole"], resources: roles }];
}

/** Customer-managed keys of buckets, whose own policies have to let the account's roles in; none where no key is named. */
export function keyGrants(sid: string, keyArns: readonly string[], access: readonly DataAccess[]): Grant[] {
  const actions = [
    ...(access.includes("read") ? ["kms:Decrypt"] : []),
    // Parts of an upload are decrypted to be put together.
    ...(access.some((kind) => kind === "write" || kind === "prove" || kind === "report")
      ? ["kms:GenerateDataKey", "kms:Decrypt"]
      : []),
  ];
  if (keyArns.length === 0 || actions.length === 0) return [];
  return [{ sid, actions: [...new Set(actions)], resources: keyArns }];
}

/** What Lambda does with the function's role to put it into a VPC. */
export function networkGrant(): Grant {
  return {
    sid: "JoinNetwork",
    actions: [
      "ec2:CreateNetworkInterface",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSubnets",
      "ec2:DeleteNetworkInterface",
      "ec2:AssignPrivateIpAddresses",
      "ec2:UnassignPrivateIpAddresses",
    ],
    resources: [
      {
        arn: "*",
        reason:
          "Lambda makes the network interfaces of a VPC with the function's role; AWS documents these actions on all resources.",
      },
    ],
  };
}

/** Whether the execution that holds a lease or a claim, or reads a backup, still runs. */
export function describeExecutionsGrant(scope: Construct, machineNames: readonly string[]): Grant {
  return {
    sid: "LookAtLeaseHolders",
    actions: ["states:DescribeExecution"],
    resources: machineNames.map((name) => ({
      arn: executionsArn(scope, name),
      reason: "Executions are named when they start; only those of this stack's machines can be described.",
    })),
  };
}

/** Ends an execution that a drill started. */
export function stopExecutionsGrant(scope: Construct, machineName: string): Grant {
  return {
    sid: "StopRestores",
    actions: ["states:StopExecution"],
    resources: [
      {
        arn: executionsArn(scope, machineName),
        reason: "Executions are named when they start; only those of this stack's machine can be stopped.",
      },
    ],
  };
}

/** Runs executions of another machine and waits for them: Step Functions hears of their end by a rule of its own. */
export function runExecutionsGrants(scope: Construct, machineName: string): Grant[] {
  const rule = Stack.of(scope).formatArn({
    service: "events",
    resource: "rule",
    resourceName: "StepFunctionsGetEventsForStepFunctionsExecutionRule",
  });
  return [
    {
      sid: "RunExecutions",
      actions: ["states:StartExecution"],
      resources: [statesArn(scope, "stateMachine", machineName)],
    },
    {
      sid: "FollowExecutions",
      actions: ["states:DescribeExecution", "states:StopExecution"],
      resources: [
        {
          arn: executionsArn(scope, machineName),
          reason: "Executions are named when they start; only those of this stack's machine are granted.",
        },
      ],
    },
    {
      sid: "HearOfExecutions",
      actions: ["events:PutTargets", "events:PutRule", "events:DescribeRule"],
      resources: [rule],
    },
  ];
}

/** Tells what happened to who listens. */
export function announceGrant(eventBus: IEventBus): Grant {
  return { sid: "Announce", actions: ["events:PutEvents"], resources: [eventBus.eventBusArn] };
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
