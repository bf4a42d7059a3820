import { Aws } from "aws-cdk-lib";
import { CfnEventBusPolicy, EventField, type IEventBus, Rule, RuleTargetInput } from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { Construct } from "constructs";
import type { RestoreTriggerConfig } from "../src/core/deployment/config.ts";
import { type TriggeredRestore, triggeredRestore } from "../src/core/deployment/restore-trigger.ts";
import { commitRecordPatterns } from "../src/core/format/layout.ts";

interface RestoreTriggersProps {
  /** Name of the deployment. */
  readonly stack: string;
  readonly triggers: readonly RestoreTriggerConfig[];
  /** Start Triggered Restore. */
  readonly startTriggeredRestore: IFunction;
  /** This account's default bus: S3 has no other. */
  readonly eventBus: IEventBus;
}

/**
 * The restore triggers: rules on "Object Created" events of a backup bucket. The bucket has to send its events to EventBridge
 * (docs/pipeline-yaml.md has the command); those of another account come through this account's default bus, which its policy lets in.
 */
export class RestoreTriggers extends Construct {
  constructor(scope: Construct, id: string, props: RestoreTriggersProps) {
    super(scope, id);
    for (const trigger of props.triggers) {
      const { name, bucket, prefix, account, backups, enabled, ...rest } = trigger;
      const restore: TriggeredRestore = triggeredRestore.parse(rest);
      new Rule(this, name, {
        description: `milvus-backup: restores backups that appear in ${bucket} into ${restore.environment}`,
        enabled,
        eventPattern: {
          source: ["aws.s3"],
          detailType: ["Object Created"],
          account: [account ?? Aws.ACCOUNT_ID],
          detail: {
            bucket: { name: [bucket] },
            object: { key: commitRecordPatterns(prefix).map((wildcard) => ({ wildcard })) },
          },
        },
        targets: [
          new LambdaFunction(props.startTriggeredRestore, {
            event: RuleTargetInput.fromObject({
              trigger: name,
              backups,
              restore,
              object: {
                bucket: EventField.fromPath("$.detail.bucket.name"),
                key: EventField.fromPath("$.detail.object.key"),
                etag: EventField.fromPath("$.detail.object.etag"),
              },
            }),
          }),
        ],
      });
    }
    const accounts = new Set(props.triggers.flatMap(({ account }) => (account === undefined ? [] : [account])));
    for (const account of accounts) this.#letIn(account, props);
  }

  /** Lets an account put S3's events, and no others, onto this account's default bus. */
  #letIn(account: string, { stack, eventBus }: RestoreTriggersProps): void {
    new CfnEventBusPolicy(this, `EventsOf${account}`, {
      statementId: `${stack}-events-of-${account}`,
      statement: {
        Effect: "Allow",
        Principal: { AWS: `arn:${Aws.PARTITION}:iam::${account}:root` },
        Action: "events:PutEvents",
        Resource: eventBus.eventBusArn,
        Condition: {
          StringEquals: { "events:source": "aws.s3", "events:detail-type": "Object Created" },
        },
      },
    });
  }
}
