import { Aws, CfnParameter, Stack, type StackProps } from "aws-cdk-lib";
import { EventBus, Rule } from "aws-cdk-lib/aws-events";
import { EventBus as EventBusTarget } from "aws-cdk-lib/aws-events-targets";
import { Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import { DeadLetters } from "./dead-letters.ts";
import { backupCommitted } from "./restore-triggers.ts";
import type { Settings } from "./settings.ts";

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
      assumedBy: new ServicePrincipal("events.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": Aws.ACCOUNT_ID } },
      }),
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

/** The forwarder of one restore trigger as a stack of its own, for whoever owns the bucket: `npx cdk synth -c forward=NAME` prints it. */
export class EventsForwarderStack extends Stack {
  constructor(scope: Construct, id: string, props: StackProps & Omit<BackupEventsForwarderProps, "eventBusArn">) {
    super(scope, id, {
      description: "Tells a milvus-backup pipeline of backups in another region or account",
      ...props,
    });
    const bus = new CfnParameter(this, "EventBusArn", {
      description: "The default event bus of the pipeline: arn:aws:events:REGION:ACCOUNT:event-bus/default",
      allowedPattern: "^arn:[a-z-]+:events:[a-z0-9-]+:\\d{12}:event-bus/.+$",
    });
    new BackupEventsForwarder(this, "Forwarder", { ...props, eventBusArn: bus.valueAsString });
  }
}

/**
 * What stands in the pipeline's place where a forwarder is asked for.
 * @param name of a restore trigger of pipeline.yaml that has a `region` or an `account`
 * @throws an Error that names those that do
 */
export function forwarderOf(scope: Construct, { stack, pipeline }: Settings, name: string): EventsForwarderStack {
  const elsewhere = pipeline.restoreTriggers.filter((it) => it.region !== undefined || it.account !== undefined);
  const trigger = elsewhere.find((it) => it.name === name);
  if (trigger === undefined) {
    const names = elsewhere.map((it) => it.name).join(", ") || "none";
    throw new Error(
      `context key forward: ${name} is no restore trigger with a region or an account; those of pipeline.yaml: ${names}`,
    );
  }
  const { bucket, prefix } = trigger;
  return new EventsForwarderStack(scope, `${stack}-events-${name}`.replaceAll("_", "-"), { bucket, prefix });
}
