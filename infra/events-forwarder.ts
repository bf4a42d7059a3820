import { Aws, Stack } from "aws-cdk-lib";
import { EventBus, Rule } from "aws-cdk-lib/aws-events";
import { EventBus as EventBusTarget } from "aws-cdk-lib/aws-events-targets";
import { Role } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import { DeadLetters } from "./dead-letters.ts";
import { backupCommitted } from "./restore-triggers.ts";
import { serviceActingFor } from "./trust.ts";

export interface BackupEventsForwarderProps {
  /** With the backups; it has to send its events to EventBridge (docs/pipeline-yaml.md has the command). */
  readonly bucket: string;
  /** The root path of the backups; the whole bucket where absent. */
  readonly prefix?: string;
  /** The default bus of the account and the region of the pipeline whose restore trigger waits for them. */
  readonly eventBusArn: string;
}

/**
 * Stands in the account and the region of a bucket with backups, and hands the events of complete ones on to a pipeline elsewhere: S3 tells
 * the default bus of the bucket's own region and no other.
 */
export class BackupEventsForwarder extends Construct {
  constructor(scope: Construct, id: string, { bucket, prefix = "", eventBusArn }: BackupEventsForwarderProps) {
    super(scope, id);
    const deadLetters = new DeadLetters(this, "DeadLetters");
    const role = new Role(this, "Role", {
      assumedBy: serviceActingFor("events.amazonaws.com", [
        Stack.of(this).formatArn({ service: "events", resource: "rule", resourceName: "*" }),
      ]),
    });
    new Rule(this, "Rule", {
      description: `milvus-backup: tells a pipeline elsewhere of backups that appear in ${bucket}`,
      eventPattern: backupCommitted({ bucket, prefix, account: Aws.ACCOUNT_ID, region: Aws.REGION }),
      targets: [
        // lets the role put events there
        new EventBusTarget(EventBus.fromEventBusArn(this, "Bus", eventBusArn), {
          role,
          deadLetterQueue: deadLetters.queue,
        }),
      ],
    });
  }
}
