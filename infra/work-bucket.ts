import { Duration, RemovalPolicy, Validations } from "aws-cdk-lib";
import { Key } from "aws-cdk-lib/aws-kms";
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { workPrefixes } from "../src/core/execution/work-layout.ts";

interface WorkBucketProps {
  /** How long plans, receipts and failures of executions are kept. */
  readonly retention: Duration;
  /** Customer-managed key; S3's own where absent. */
  readonly keyArn?: string | undefined;
}

/** The pipeline's own bucket: plans, batches, receipts, readers. No data and no secret is in it. */
export class WorkBucket extends Construct {
  readonly bucket: Bucket;

  constructor(scope: Construct, id: string, props: WorkBucketProps) {
    super(scope, id);
    this.bucket = new Bucket(this, "Bucket", {
      ...(props.keyArn === undefined
        ? { encryption: BucketEncryption.S3_MANAGED }
        : {
            encryption: BucketEncryption.KMS,
            encryptionKey: Key.fromKeyArn(this, "Key", props.keyArn),
            // One call of KMS for many objects.
            bucketKeyEnabled: true,
          }),
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      lifecycleRules: [
        { id: "executions", prefix: workPrefixes.executions, expiration: props.retention },
        // What drills left that nobody started again since; who finds one older than its plan could do nothing with it.
        { id: "drills", prefix: workPrefixes.drills, expiration: props.retention },
        // What a restore needs to go on after it failed; one that ends removes its own.
        { id: "restores", prefix: workPrefixes.restores, expiration: props.retention },
        { id: "uploads", abortIncompleteMultipartUploadAfter: Duration.days(1) },
      ],
      // Work files of running executions must outlive a stack that is taken away under them.
      removalPolicy: RemovalPolicy.RETAIN,
    });
    Validations.of(this.bucket).acknowledge({
      id: "AwsSolutions-S1",
      reason:
        "Holds plans and receipts of executions only, read and written by the pipeline's own roles; an access log would cost more than it holds. CloudTrail data events can be turned on for it.",
    });
  }
}
