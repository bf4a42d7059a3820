import { CfnParameter, Stack, type StackProps } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { BackupEventsForwarder, type BackupEventsForwarderProps } from "./events-forwarder.ts";
import type { Settings } from "./settings.ts";

/** The forwarder of one restore trigger as a stack of its own, for whoever owns the bucket: `npx cdk synth -c forward=NAME` prints it. */
class EventsForwarderStack extends Stack {
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
