import { Duration, RemovalPolicy } from "aws-cdk-lib";
import { type Policy, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import { Alias, Architecture, Code, Function as LambdaFunction, Runtime, type Version } from "aws-cdk-lib/aws-lambda";
import { LogGroup, type RetentionDays } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import type { FunctionConfig } from "../src/core/deployment/config.ts";
import type { FunctionEnvironment } from "../src/core/execution/function-environment.ts";
import { metricsNamespace } from "../src/core/execution/metrics.ts";
import { pipelineVersion } from "../src/core/execution/pipeline-version.ts";
import type { EncryptionKeys } from "./encryption.ts";
import type { FunctionSpec } from "./functions.ts";
import { type Grant, grantedPolicy } from "./grants.ts";
import type { FunctionNetwork } from "./network.ts";

interface PipelineFunctionProps {
  readonly spec: FunctionSpec;
  /** Name of the function; `spec.name` within the stack. */
  readonly functionName: string;
  /** Directory with the bundled `index.js`. */
  readonly code: string;
  readonly environment: FunctionEnvironment;
  /** What pipeline.yaml says of it. */
  readonly config?: FunctionConfig | undefined;
  readonly logRetention: RetentionDays;
  readonly grants: readonly Grant[];
  readonly keys: EncryptionKeys;
  /** Of its role: the functions' roles of one deployment, and nothing else, lie below it. */
  readonly rolePath: string;
  /** Where it runs; outside of any VPC where absent. */
  readonly network?: FunctionNetwork | undefined;
}

/**
 * One Lambda of the pipeline with its log group and a role that holds nothing but the given grants. What is called is a version of it, so
 * that a deployment changes no code under who runs: executions name versions, and go on with theirs (pipeline-state-machine.ts); rules and
 * schedules call `live`, which is the one that was deployed last.
 */
export class PipelineFunction extends Construct {
  readonly function: LambdaFunction;
  /** Code and settings of this deployment. The one before stays for executions that began with it: docs/runbook.md removes those that none can. */
  readonly version: Version;
  readonly live: Alias;
  readonly policy: Policy;

  constructor(scope: Construct, id: string, props: PipelineFunctionProps) {
    super(scope, id);
    const { spec, functionName, config = {}, keys } = props;
    const logGroup = new LogGroup(this, "Logs", {
      logGroupName: `/aws/lambda/${functionName}`,
      retention: props.logRetention,
      ...(keys.logs !== undefined && { encryptionKey: Key.fromKeyArn(this, "LogsKey", keys.logs) }),
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new Role(this, "Role", {
      path: props.rolePath,
      assumedBy: new ServicePrincipal("lambda.amazonaws.com"),
    });
    this.policy = grantedPolicy(this, role, [
      {
        sid: "WriteLogs",
        actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
        resources: [logGroup.logGroupArn],
      },
      ...props.grants,
    ]);
    this.function = new LambdaFunction(this, "Function", {
      functionName,
      // With the release in it every release makes versions: none is mistaken for the one before.
      description: `milvus-backup ${pipelineVersion}: ${spec.name.replaceAll("-", " ")}`,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      handler: "index.handler",
      code: Code.fromAsset(props.code),
      timeout: Duration.minutes(spec.timeoutMinutes),
      memorySize: config.memoryMiB ?? spec.memoryMiB,
      ...(config.reservedConcurrency !== undefined && { reservedConcurrentExecutions: config.reservedConcurrency }),
      role,
      logGroup,
      environment: {
        ...props.environment,
        POWERTOOLS_SERVICE_NAME: spec.name,
        POWERTOOLS_METRICS_NAMESPACE: metricsNamespace,
        POWERTOOLS_LOG_LEVEL: "INFO",
        ...(spec.semiSpaceMiB !== undefined && { NODE_OPTIONS: `--max-semi-space-size=${spec.semiSpaceMiB}` }),
      },
      // Lambda makes itself a grant of the key for the role when it is deployed: the role needs no statement.
      ...(keys.variables !== undefined && {
        environmentEncryption: Key.fromKeyArn(this, "VariablesKey", keys.variables),
      }),
      ...props.network,
      // A version of a deployment that was rolled back goes, or the next one could not publish the same code again.
      currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE },
    });
    this.version = this.function.currentVersion;
    this.live = new Alias(this, "Live", { aliasName: "live", version: this.version });
    // The first invocation must not come before the permissions.
    this.function.node.addDependency(this.policy);
  }
}
