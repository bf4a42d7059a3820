import { Aws } from "aws-cdk-lib";
import {
  CfnEventBusPolicy,
  EventField,
  type EventPattern,
  type IEventBus,
  type IRule,
  Rule,
  RuleTargetInput,
} from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { Construct } from "constructs";
import type { RestoreTriggerConfig } from "../src/core/deployment/config.ts";
import { type TriggeredRestore, triggeredRestore } from "../src/core/deployment/restore-trigger.ts";
import { commitRecordPatterns } from "../src/core/format/layout.ts";
import type { DeadLetters } from "./dead-letters.ts";

interface RestoreTriggersProps {
  /** Name of the deployment. */
  readonly stack: string;
  readonly triggers: readonly RestoreTriggerConfig[];
  /** Start Triggered Restore. */
  readonly startTriggeredRestore: IFunction;
  /** This account's default bus: S3 has no other. */
  readonly eventBus: IEventBus;
  readonly deadLetters: DeadLetters;
}

/** S3's events of the object that completes a backup in a bucket. */
export function backupCommitted(of: {
  readonly bucket: string;
  readonly prefix: string;
  readonly account: string;
  readonly region: string;
}): EventPattern {
  return {
    source: ["aws.s3"],
    detailType: ["Object Created"],
    account: [of.account],
    region: [of.region],
    detail: {
      bucket: { name: [of.bucket] },
      object: { key: commitRecordPatterns(of.prefix).map((wildcard) => ({ wildcard })) },
    },
  };
}

/**
 * The restore triggers: rules on "Object Created" events of a backup bucket. The bucket has to send its events to EventBridge
 * (docs/pipeline-yaml.md has the command); those of another account or region come through this account's default bus, forwarded by
 * events-forwarder.ts there.
 */
export class RestoreTriggers extends Construct {
  /** By the name of the trigger. */
  readonly rules: ReadonlyMap<string, IRule>;

  constructor(scope: Construct, id: string, props: RestoreTriggersProps) {
    super(scope, id);
    const rules = new Map<string, IRule>();
    this.rules = rules;
    for (const trigger of props.triggers) {
      const {
        name,
        bucket,
        prefix,
        account = Aws.ACCOUNT_ID,
        region = Aws.REGION,
        backups,
        enabled,
        unsigned: _,
        ...rest
      } = trigger;
      const restore: TriggeredRestore = triggeredRestore.parse(rest);
      const rule = new Rule(this, name, {
        description: `milvus-backup: restores backups that appear in ${bucket} into ${restore.environment}`,
        enabled,
        eventPattern: backupCommitted({ bucket, prefix, account, region }),
        targets: [
          new LambdaFunction(props.startTriggeredRestore, {
            deadLetterQueue: props.deadLetters.queue,
            event: RuleTargetInput.fromObject({
              trigger: name,
              backups,
              prefix,
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
      rules.set(name, rule);
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
