import { Duration, RemovalPolicy } from "aws-cdk-lib";
import { type Policy, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Architecture, Code, Function as LambdaFunction, Runtime } from "aws-cdk-lib/aws-lambda";
import { LogGroup, type RetentionDays } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import type { FunctionEnvironment } from "../src/core/execution/function-environment.ts";
import { metricsNamespace } from "../src/core/execution/metrics.ts";
import type { FunctionSpec } from "./functions.ts";
import { type Grant, grantedPolicy } from "./grants.ts";
import type { FunctionNetwork } from "./network.ts";

export interface PipelineFunctionProps {
  readonly spec: FunctionSpec;
  /** Name of the function; `spec.name` within the stack. */
  readonly functionName: string;
  /** Directory with the bundled `index.js`. */
  readonly code: string;
  readonly environment: FunctionEnvironment;
  readonly logRetention: RetentionDays;
  readonly grants: readonly Grant[];
  /** Where it runs; outside of any VPC where absent. */
  readonly network?: FunctionNetwork | undefined;
}

/** One Lambda of the pipeline with its log group and a role that holds nothing but the given grants. */
export class PipelineFunction extends Construct {
  readonly function: LambdaFunction;
  readonly policy: Policy;

  constructor(scope: Construct, id: string, props: PipelineFunctionProps) {
    super(scope, id);
    const { spec, functionName } = props;
    const logGroup = new LogGroup(this, "Logs", {
      logGroupName: `/aws/lambda/${functionName}`,
      retention: props.logRetention,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new Role(this, "Role", { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
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
      description: `milvus-backup: ${spec.name.replaceAll("-", " ")}`,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      handler: "index.handler",
      code: Code.fromAsset(props.code),
      timeout: Duration.minutes(spec.timeoutMinutes),
      memorySize: spec.memoryMiB,
      role,
      logGroup,
      environment: {
        ...props.environment,
        POWERTOOLS_SERVICE_NAME: spec.name,
        POWERTOOLS_METRICS_NAMESPACE: metricsNamespace,
        POWERTOOLS_LOG_LEVEL: "INFO",
      },
      ...props.network,
    });
    // The first invocation must not come before the permissions.
    this.function.node.addDependency(this.policy);
  }
}
