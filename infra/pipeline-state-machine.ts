import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Aws, RemovalPolicy } from "aws-cdk-lib";
import type { IEventBus } from "aws-cdk-lib/aws-events";
import { Role } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import { LogGroup, type RetentionDays } from "aws-cdk-lib/aws-logs";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import { DefinitionBody, LogLevel, StateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import { usualConcurrency } from "../src/core/deployment/config.ts";
import type { Machine } from "../src/core/execution/machines.ts";
import { workKeyPatterns } from "../src/core/execution/work-layout.ts";
import type { EncryptionKeys } from "./encryption.ts";
import { pascalCase } from "./functions.ts";
import { acknowledgeWildcards, type Grant, grantedPolicy } from "./grants.ts";
import {
  announceGrant,
  executionFiles,
  executionsArn,
  keyGrants,
  runExecutionsGrants,
  statesArn,
} from "./permissions.ts";
import type { PipelineFunction } from "./pipeline-function.ts";
import { serviceActingFor } from "./trust.ts";

interface PipelineStateMachineProps {
  readonly machine: Machine;
  /** Name of the deployment. */
  readonly stack: string;
  readonly stateMachineName: string;
  /** The functions by folder name; those the definition names are granted, and no others. */
  readonly functions: ReadonlyMap<string, PipelineFunction>;
  /** Name of the machine whose executions it runs. */
  readonly runs?: string | undefined;
  readonly workBucket: IBucket;
  readonly eventBus: IEventBus;
  readonly keys: EncryptionKeys;
  readonly logRetention: RetentionDays;
  /** Batches that are copied at once. */
  readonly maxConcurrency: number;
}

const definitionsDir = join(import.meta.dirname, "..", "state-machines");

/** The text of a machine, with its substitutions open. */
export function definitionOf(machine: Machine): string {
  return readFileSync(join(definitionsDir, `${machine}.asl.json`), "utf8");
}

/** One machine from its ASL text. CDK cannot see into the text, so what its role may do is said here. */
export class PipelineStateMachine extends Construct {
  readonly stateMachine: StateMachine;

  constructor(scope: Construct, id: string, props: PipelineStateMachineProps) {
    super(scope, id);
    const { machine, stateMachineName, workBucket, eventBus, runs, keys } = props;
    const definition = withConcurrency(definitionOf(machine), props.maxConcurrency);
    const hasMaps = definition.includes('"DISTRIBUTED"');
    const used = [...props.functions].filter(([name]) => definition.includes(substitutionOf(name)));
    const role = new Role(this, "Role", {
      assumedBy: serviceActingFor("states.amazonaws.com", [
        statesArn(this, "stateMachine", stateMachineName),
        statesArn(this, "stateMachine", `${stateMachineName}:*`),
      ]),
    });
    const policy = grantedPolicy(this, role, [
      {
        sid: "RunSteps",
        actions: ["lambda:InvokeFunction"],
        resources: used.map(([, { function: lambda }]) => ({
          arn: `${lambda.functionArn}:*`,
          reason: "Versions: an execution that began before a deployment goes on with those that it began with.",
        })),
      },
      ...(hasMaps ? this.#mapGrants(props) : []),
      ...(runs === undefined ? [] : runExecutionsGrants(this, runs)),
      announceGrant(eventBus),
    ]);
    this.stateMachine = new StateMachine(this, "StateMachine", {
      stateMachineName,
      definitionBody: DefinitionBody.fromString(definition),
      definitionSubstitutions: {
        // Versions, as the definition of an execution stays what it was when that began.
        ...Object.fromEntries(used.map(([name, { version }]) => [substitutionName(name), version.functionArn])),
        Partition: Aws.PARTITION,
        WorkBucketName: workBucket.bucketName,
        EventBusName: eventBus.eventBusName,
        StackName: props.stack,
        ...(runs !== undefined && { RestoreStateMachineArn: statesArn(this, "stateMachine", runs) }),
      },
      role,
      tracingEnabled: true,
      logs: {
        destination: new LogGroup(this, "Logs", {
          // Groups below /aws/vendedlogs/ need no statement in the account's log resource policy, which is limited in size.
          logGroupName: `/aws/vendedlogs/states/${stateMachineName}`,
          retention: props.logRetention,
          ...(keys.logs !== undefined && { encryptionKey: Key.fromKeyArn(this, "LogsKey", keys.logs) }),
          removalPolicy: RemovalPolicy.DESTROY,
        }),
        level: LogLevel.ALL,
        // Names of environments and collections are nobody's business who may only read logs.
        includeExecutionData: false,
      },
    });
    this.stateMachine.node.addDependency(policy);
    // What CDK itself grants for logs and tracing.
    acknowledgeWildcards(role, [
      {
        arn: "*",
        reason:
          "Log delivery and X-Ray have no resource-level permissions; CDK writes the statements as AWS documents them for Step Functions.",
      },
    ]);
  }

  /** Of a machine with distributed maps: it reads their items, and runs them as executions of its own. */
  #mapGrants({ machine, stateMachineName, workBucket, keys }: PipelineStateMachineProps): Grant[] {
    const mapRuns =
      "Map runs and their children are named when they start; only those of this very machine are granted.";
    return [
      {
        sid: "ReadMapItems",
        actions: ["s3:GetObject"],
        resources: [executionFiles(workBucket, workKeyPatterns.itemsOf(machine))],
      },
      // By the machine's name: its ARN is not known before it exists, and it cannot exist before its role.
      {
        sid: "StartMapRuns",
        actions: ["states:StartExecution"],
        resources: [statesArn(this, "stateMachine", stateMachineName)],
      },
      {
        sid: "FollowMapRuns",
        actions: ["states:DescribeExecution", "states:StopExecution"],
        resources: [{ arn: executionsArn(this, stateMachineName), reason: mapRuns }],
      },
      {
        sid: "RedriveMapRuns",
        actions: ["states:RedriveExecution"],
        resources: [{ arn: statesArn(this, "execution", `${stateMachineName}/*`), reason: mapRuns }],
      },
      ...keyGrants("ReadWorkBucketKey", keys.workBucket === undefined ? [] : [keys.workBucket], ["read"]),
    ];
  }
}

/** A definition whose maps of copies run so many at once. A number cannot be substituted in what is valid JSON as it stands. */
function withConcurrency(definition: string, maxConcurrency: number): string {
  return definition.replaceAll(`"MaxConcurrency": ${usualConcurrency},`, `"MaxConcurrency": ${maxConcurrency},`);
}

function substitutionName(functionName: string): string {
  return `${pascalCase(functionName)}FunctionArn`;
}

function substitutionOf(functionName: string): string {
  return `\${${substitutionName(functionName)}}`;
}
