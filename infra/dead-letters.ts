import { Duration, Validations } from "aws-cdk-lib";
import { Key } from "aws-cdk-lib/aws-kms";
import type { IDestination } from "aws-cdk-lib/aws-lambda";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import type { Grant } from "./grants.ts";
import { keyGrants } from "./permissions.ts";

/**
 * Where events, scheduled starts and invocations go that nobody could be given: with what they were, and why they failed. The alarm `dead-letters`
 * rings while something lies there (docs/runbook.md).
 */
export class DeadLetters extends Construct {
  readonly queue: Queue;
  readonly #keyArn: string | undefined;

  /** @param props.keyArn customer-managed key, whose policy lets EventBridge use it; SQS's own where absent */
  constructor(scope: Construct, id: string, { keyArn }: { readonly keyArn?: string | undefined } = {}) {
    super(scope, id);
    this.#keyArn = keyArn;
    this.queue = new Queue(this, "Queue", {
      ...(keyArn === undefined
        ? { encryption: QueueEncryption.SQS_MANAGED }
        : { encryption: QueueEncryption.KMS, encryptionMasterKey: Key.fromKeyArn(this, "Key", keyArn) }),
      enforceSSL: true,
      // The most there is: whoever comes back from holidays still finds them.
      retentionPeriod: Duration.days(14),
    });
    Validations.of(this.queue).acknowledge({
      id: "AwsSolutions-SQS3",
      reason: "It is the dead-letter queue itself: nothing consumes it but a person.",
    });
  }

  /** What a function that is invoked without waiting gets for what fails for good; its role needs `grants`. */
  get destination(): IDestination {
    return { bind: () => ({ destination: this.queue.queueArn }) };
  }

  /** Of a role in whose name something is put there. */
  get grants(): Grant[] {
    const keyArns = this.#keyArn === undefined ? [] : [this.#keyArn];
    return [
      { sid: "KeepWhatFailed", actions: ["sqs:SendMessage"], resources: [this.queue.queueArn] },
      ...keyGrants("EncryptWhatFailed", keyArns, ["write"]),
    ];
  }
}
