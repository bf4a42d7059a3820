import { Stack, Validations } from "aws-cdk-lib";
import type { CfnBucket, IBucket } from "aws-cdk-lib/aws-s3";
import type { Construct, IConstruct } from "constructs";
import { type FunctionSpec, type Machine, namesEnvironments, workKeys } from "./functions.ts";
import type { PipelineFunction } from "./pipeline-function.ts";
import type { PipelineStateMachine } from "./pipeline-state-machine.ts";

/** What cdk-nag calls the resources of a statement: tokens in angle brackets. */
const names = { account: "<AWS::Region>:<AWS::AccountId>", partition: "<AWS::Partition>" };

const reasons = {
  executions: "Keys hold the execution's name, which is not known before it starts. The bucket holds work files only.",
  subjects: "Keys hold what they are about: a backup or a restore target that nobody knows at deployment.",
  environments:
    "Environments are registered after the deployment, below a prefix that belongs to this stack; Secrets Manager adds six characters to each name.",
  listSecrets:
    "ListSecrets has no resource-level permissions; it answers names, which the error for an unknown one says.",
  describeExecutions: "Executions are named when they start; only those of this stack's machines can be described.",
  mapRuns: "Map runs and their children are named when they start; only those of this very machine are granted.",
  dataObjects: "Objects of a bucket that the deployment names, in a directory tree that Milvus names.",
  network:
    "Lambda makes the network interfaces of a VPC with the function's role; AWS documents these actions on all resources.",
  delivery:
    "Log delivery and X-Ray have no resource-level permissions; CDK writes the statements as AWS documents them for Step Functions.",
} as const;

/** Why the wildcards of a function's role are as narrow as they can be; any other is still an error. */
export function acknowledgeFunction(
  created: PipelineFunction,
  spec: FunctionSpec,
  options: {
    workBucket: IBucket;
    environmentsPrefix: string;
    dataBuckets: readonly string[];
    machineNames: readonly string[];
    inNetwork: boolean;
  },
): void {
  const work = workBucketName(created, options.workBucket);
  const { partition, account } = names;
  const secret = `arn:${partition}:secretsmanager:${account}:secret:${options.environmentsPrefix}*`;
  const { seen = [], kept, removable } = workKeys[spec.machine];
  for (const keys of kept) acknowledgeWildcard(created.policy, `${work}/${keys}`, reasons.executions);
  for (const keys of [...seen, ...removable]) acknowledgeWildcard(created.policy, `${work}/${keys}`, reasons.subjects);
  acknowledgeWildcard(created.policy, secret, reasons.environments);
  const everywhere = [
    ...(namesEnvironments(spec) ? [reasons.listSecrets] : []),
    ...(options.inNetwork ? [reasons.network] : []),
  ];
  if (everywhere.length > 0) acknowledgeWildcard(created.policy, "*", everywhere.join(" "));
  if (spec.first === true) {
    for (const machine of options.machineNames) {
      acknowledgeWildcard(created.policy, executionsOf(machine), reasons.describeExecutions);
    }
  }
  if (spec.dataAccess.length === 0) return;
  for (const bucket of options.dataBuckets) {
    acknowledgeWildcard(created.policy, `arn:${partition}:s3:::${bucket}/*`, reasons.dataObjects);
  }
}

/** The same for a machine's role. */
export function acknowledgeStateMachine(
  created: PipelineStateMachine,
  options: { machine: Machine; stateMachineName: string; workBucket: IBucket },
): void {
  const work = workBucketName(created, options.workBucket);
  acknowledgeWildcard(created.policy, `${work}/executions/${options.machine}/*/items-*.json`, reasons.executions);
  acknowledgeWildcard(created.policy, executionsOf(options.stateMachineName), reasons.mapRuns);
  acknowledgeWildcard(created.policy, executionsOf(options.stateMachineName, "/*"), reasons.mapRuns);
  // The statements that CDK adds for logging and tracing.
  acknowledgeWildcard(created.role, "*", reasons.delivery);
}

function acknowledgeWildcard(scope: IConstruct, resource: string, reason: string): void {
  Validations.of(scope).acknowledge({ id: `AwsSolutions-IAM5[Resource::${resource}]`, reason });
}

function executionsOf(machine: string, suffix = ":*"): string {
  return `arn:${names.partition}:states:${names.account}:execution:${machine}${suffix}`;
}

function workBucketName(scope: Construct, bucket: IBucket): string {
  return `<${Stack.of(scope).getLogicalId(bucket.node.defaultChild as CfnBucket)}.Arn>`;
}
