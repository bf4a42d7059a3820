import {
  CreateBucketCommand,
  DeleteBucketCommand,
  PutBucketNotificationConfigurationCommand,
} from "@aws-sdk/client-s3";
import { s3Client } from "../../../local/index.ts";
import { deletePrefix } from "./objects.ts";

/** A bucket for backups whose events go to EventBridge, as docs/pipeline-yaml.md turns them on. */
export async function createEventBucket(name: string): Promise<{ remove(): Promise<void> }> {
  const client = s3Client();
  await client.send(new CreateBucketCommand({ Bucket: name }));
  await client.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket: name,
      NotificationConfiguration: { EventBridgeConfiguration: {} },
    }),
  );
  return {
    async remove() {
      await deletePrefix(name, "");
      await client.send(new DeleteBucketCommand({ Bucket: name }));
      client.destroy();
    },
  };
}
