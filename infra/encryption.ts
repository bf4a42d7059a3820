import { Stack } from "aws-cdk-lib";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";
import type { PipelineConfig } from "../src/core/deployment/config.ts";

/** ARNs of customer-managed keys, by what they encrypt; a key of AWS's own where one is absent. */
export interface EncryptionKeys {
  readonly workBucket?: string | undefined;
  readonly logs?: string | undefined;
  /** The secrets of registered environments. */
  readonly environments?: string | undefined;
  readonly topic?: string | undefined;
  readonly deadLetters?: string | undefined;
  /** The functions' environment variables. */
  readonly variables?: string | undefined;
}

/** What pipeline.yaml says of keys: one for everything, and others in its place. */
export function encryptionKeysOf(pipeline: PipelineConfig): EncryptionKeys {
  const { encryptionKeyArn: usual } = pipeline;
  return {
    workBucket: pipeline.workBucketKeyArn ?? usual,
    logs: pipeline.logsKeyArn ?? usual,
    environments: pipeline.environmentsKeyArn ?? usual,
    topic: pipeline.alarms?.topicKeyArn ?? usual,
    deadLetters: usual,
    variables: usual,
  };
}

/**
 * What services do with the key in their own names, for the key's policy, as docs/policies/encryption-key.json has it. Roles and people
 * use it by their own policies, which the key's lets count where it lets the account in.
 * @param name of the deployment
 */
export function keyPolicyStatements(scope: Construct, name: string): PolicyStatement[] {
  const stack = Stack.of(scope);
  // No source conditions: EventBridge sends none to KMS with what is for an encrypted topic (SNS developer guide, "Key management"), and
  // CloudWatch documents none. The policies of the topic and the queue have them.
  const letIn = (sid: string, service: string) =>
    new PolicyStatement({
      sid,
      principals: [new ServicePrincipal(service)],
      actions: ["kms:Decrypt", "kms:GenerateDataKey*"],
      resources: ["*"],
    });
  const logGroups = ["/aws/lambda", "/aws/vendedlogs/apis", "/aws/vendedlogs/states"].map(
    (folder) => `arn:${stack.partition}:logs:${stack.region}:${stack.account}:log-group:${folder}/${name}-*`,
  );
  return [
    new PolicyStatement({
      sid: "EncryptLogs",
      principals: [new ServicePrincipal(`logs.${stack.region}.amazonaws.com`)],
      actions: ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
      resources: ["*"],
      conditions: { ArnLike: { "kms:EncryptionContext:aws:logs:arn": logGroups } },
    }),
    letIn("TellAlarms", "cloudwatch.amazonaws.com"),
    letIn("TellFailuresAndKeepWhatFailed", "events.amazonaws.com"),
  ];
}
