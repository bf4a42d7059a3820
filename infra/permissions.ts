import { ArnFormat, Aws, Stack } from "aws-cdk-lib";
import type { IEventBus } from "aws-cdk-lib/aws-events";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { Construct } from "constructs";
import type { BucketRoot } from "../src/core/deployment/bucket-root.ts";
import { besideBackups, drilledPattern, reportName, stagingRoot } from "../src/core/format/layout.ts";
import { type BackupAccess, type DataAccess, type Owner, workKeys } from "./functions.ts";
import type { Grant, Wildcard } from "./grants.ts";

/** Of whole objects, below a root path. */
const objectActions: Partial<Readonly<Record<BackupAccess, readonly string[]>>> = {
  read: ["s3:GetObject"],
  write: ["s3:PutObject"],
  delete: ["s3:DeleteObject"],
  "see-locks": ["s3:GetObjectRetention"],
  lock: ["s3:PutObjectRetention"],
};

/**
 * Work files of one machine's executions (`any`: of all, `none`: of none), and readers' marks.
 * @param options.keeps removes none of them
 * @param options.reads writes none of them
 */
export function workBucketGrants(bucket: IBucket, machine: Owner, { keeps = false, reads = false } = {}): Grant[] {
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
            actions: ["s3:GetObject", ...(reads ? [] : ["s3:PutObject"])],
            resources: [...kept.map((key) => executionFiles(bucket, key)), ...subjects],
          },
        ]
      : []),
    ...(subjects.length > 0 && !keeps
      ? [{ sid: "RemoveWorkFiles", actions: ["s3:DeleteObject"], resources: subjects }]
      : []),
  ];
}

/** Files of executions, by a pattern of their keys. */
export function executionFiles(bucket: IBucket, keys: string): Wildcard {
  return {
    arn: bucket.arnForObjects(keys),
    reason: "Keys hold the execution's name, which is not known before it starts. The bucket holds work files only.",
  };
}

/**
 * Reads registered environments; `listNames` lets the error for an unknown one name those that are there.
 * @param names those it is about; any where absent, since environments are registered after the deployment
 */
export function environmentGrants(
  scope: Construct,
  prefix: string,
  { listNames, names }: { readonly listNames: boolean; readonly names?: readonly string[] | undefined },
): Grant[] {
  const secretOf = (name: string) =>
    Stack.of(scope).formatArn({
      service: "secretsmanager",
      resource: "secret",
      resourceName: `${prefix}${name}`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
  const [patterns, reason] =
    names === undefined
      ? [
          ["*"],
          "Environments are registered after the deployment, below a prefix that belongs to this stack; Secrets Manager adds six characters to each name.",
        ]
      : [
          // One that is not registered yet has no such characters.
          names.flatMap((name) => [name, `${name}-??????`]),
          "Secrets Manager adds six characters to each name.",
        ];
  return [
    {
      sid: "ReadEnvironments",
      actions: ["secretsmanager:GetSecretValue"],
      resources: patterns.map((pattern) =>
        /[*?]/.test(pattern) ? { arn: secretOf(pattern), reason } : secretOf(pattern),
      ),
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

/** The customer-managed key of the environments' secrets, for Secrets Manager to use and nothing else; nothing where there is none. */
export function environmentKeyGrants(keyArn: string | undefined): Grant[] {
  if (keyArn === undefined) return [];
  const conditions = { StringEquals: { "kms:ViaService": `secretsmanager.${Aws.REGION}.${Aws.URL_SUFFIX}` } };
  return [{ sid: "DecryptEnvironments", actions: ["kms:Decrypt"], resources: [keyArn], conditions }];
}

/** What the functions' own roles may use, for environments with `useIAM: true` and no role. */
export interface DataRoots {
  readonly milvusBuckets: readonly BucketRoot[];
  readonly backupBuckets: readonly BucketRoot[];
  readonly exportBuckets: readonly BucketRoot[];
}

/** Data of environments with `useIAM: true`; nothing where no bucket is named. */
export function dataGrants({ milvusBuckets, backupBuckets, exportBuckets }: DataRoots, access: DataAccess): Grant[] {
  const { milvus, staging = [], backups = [], exports = [] } = access;
  const staged = [...new Set(milvusBuckets.map(({ bucket }) => bucket))].map((bucket) => ({
    bucket,
    rootPath: stagingRoot.replace(/\/$/, ""),
  }));
  return [
    ...(milvus === undefined ? [] : rootGrants("Milvus", milvusBuckets, milvus === "read" ? ["read"] : [])),
    ...(staging.length === 0 ? [] : rootGrants("Staging", staged, staging)),
    ...(backups.length === 0 ? [] : rootGrants("Backups", backupBuckets, backups)),
    ...(exports.length === 0 ? [] : rootGrants("Exports", exportBuckets, exports)),
  ];
}

/** What one may do below root paths; buckets with the same one share their statements. */
function rootGrants(of: string, roots: readonly BucketRoot[], access: readonly BackupAccess[]): Grant[] {
  return [...Map.groupBy(roots, ({ rootPath }) => rootPath)].flatMap(([rootPath, same], index) =>
    grantsBelow(
      `${of}${index === 0 ? "" : index + 1}`,
      { buckets: [...new Set(same.map(({ bucket }) => `arn:${Aws.PARTITION}:s3:::${bucket}`))], rootPath },
      access,
    ),
  );
}

interface Root {
  /** ARNs. */
  readonly buckets: readonly string[];
  readonly rootPath: string;
}

function grantsBelow(name: string, root: Root, access: readonly BackupAccess[]): Grant[] {
  const { buckets, rootPath } = root;
  const below = rootPath === "" ? "" : `${rootPath}/`;
  const uploads = access.includes("upload");
  const ends = uploads ? ["s3:AbortMultipartUpload"] : [];
  const objects = [...access.flatMap((kind) => objectActions[kind] ?? []), ...(access.includes("write") ? ends : [])];
  const on = (keys: readonly string[], reason: string) =>
    buckets.flatMap((bucket) => keys.map((key) => ({ arn: `${bucket}/${below}${key}`, reason })));
  const named = "Backups are named when they are made, below a root path that the deployment names.";
  const { kept, removable } = besideBackups;
  const grants: (Grant | false)[] = [
    {
      sid: `List${name}`,
      actions: ["s3:ListBucket"],
      resources: buckets,
      ...(below !== "" && { conditions: { StringLike: { "s3:prefix": [`${below}*`] } } }),
    },
    // A copy that starts again first ends uploads that a killed function left. This action knows no prefix.
    uploads && { sid: `FindUploadsOf${name}`, actions: ["s3:ListBucketMultipartUploads"], resources: buckets },
    access.includes("ask-locks") && {
      sid: `AskLocksOf${name}`,
      actions: ["s3:GetBucketObjectLockConfiguration"],
      resources: buckets,
    },
    objects.length > 0 && {
      sid: `Use${name}`,
      actions: objects,
      resources: on(
        ["*"],
        "Objects below a root path that the deployment names, in a directory tree that Milvus names.",
      ),
    },
    // Nothing that a backup is made of can be changed with these.
    access.includes("prove") && {
      sid: `WriteBeside${name}`,
      actions: ["s3:PutObject", ...ends],
      resources: on([...kept, ...removable], named),
    },
    access.includes("retract") && {
      sid: `RemoveBeside${name}`,
      actions: ["s3:DeleteObject"],
      resources: on(removable, named),
    },
    access.includes("say-drilled") && {
      sid: `SayDrilledBeside${name}`,
      actions: ["s3:PutObject"],
      resources: on([drilledPattern], named),
    },
    access.includes("report") && {
      sid: `WriteReportOf${name}`,
      actions: ["s3:PutObject"],
      resources: buckets.map((bucket) => `${bucket}/${below}${reportName}`),
    },
  ];
  return grants.filter((grant) => grant !== false);
}

/** The roles that environments with a `roleArn` name; none where no role is named. */
export function assumeRoleGrants(roles: readonly string[]): Grant[] {
  return roles.length === 0 ? [] : [{ sid: "AssumeRoles", actions: ["sts:AssumeRole"], resources: roles }];
}

/** Customer-managed keys of buckets, whose own policies have to let the account's roles in; none where no key is named. */
export function keyGrants(sid: string, keyArns: readonly string[], access: readonly ("read" | "write")[]): Grant[] {
  const actions = [
    ...(access.includes("read") ? ["kms:Decrypt"] : []),
    // Parts of an upload are decrypted to be put together.
    ...(access.includes("write") ? ["kms:GenerateDataKey", "kms:Decrypt"] : []),
  ];
  if (keyArns.length === 0 || actions.length === 0) return [];
  return [{ sid, actions: [...new Set(actions)], resources: keyArns }];
}

/** How a function uses the keys of the data's buckets. */
export function keyUseOf({ milvus, staging = [], backups = [], exports = [] }: DataAccess): ("read" | "write")[] {
  const writing: readonly BackupAccess[] = ["write", "prove", "say-drilled", "report"];
  const kinds = [...staging, ...backups, ...exports];
  return [
    ...(milvus === "read" || kinds.includes("read") ? (["read"] as const) : []),
    ...(kinds.some((kind) => writing.includes(kind)) ? (["write"] as const) : []),
  ];
}

/** Asymmetric keys, whose own policies have to let the account's roles in; none where no key is named. */
export function signingGrants(sid: string, action: "kms:Sign" | "kms:Verify", keyArns: readonly string[]): Grant[] {
  return keyArns.length === 0 ? [] : [{ sid, actions: [action], resources: keyArns }];
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

/** What the REST API does with executions: starts them, tells of them (`describeExecutionsGrant`), finds the newest one about a backup. */
export function apiExecutionsGrants(machines: Readonly<Record<"backup" | "restore", string>>): Grant[] {
  return [
    { sid: "StartExecutions", actions: ["states:StartExecution"], resources: [machines.backup, machines.restore] },
    { sid: "FindExecutions", actions: ["states:ListExecutions"], resources: [machines.backup] },
  ];
}

/** Lets functions try what their roles may (functions/shared/check-door.ts). @param arns of the functions */
export function checkFunctionsGrant(arns: readonly string[]): Grant {
  return { sid: "AskFunctionsToCheck", actions: ["lambda:InvokeFunction"], resources: arns };
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
