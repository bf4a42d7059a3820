import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import { eventSource } from "../core/deployment/events.ts";
import type { EventPublisher } from "../ports/event-publisher.ts";

/**
 * Puts events on the account's default bus.
 * @param stack name of the deployment, which every event carries
 */
export function eventBridgePublisher(
  stack: string,
  client: EventBridgeClient = new EventBridgeClient({}),
): EventPublisher {
  return {
    async publish(detailType, detail) {
      const Detail = JSON.stringify({ stack, ...detail });
      const { FailedEntryCount = 0, Entries = [] } = await client.send(
        new PutEventsCommand({ Entries: [{ Source: eventSource, DetailType: detailType, Detail }] }),
      );
      if (FailedEntryCount === 0) return;
      const { ErrorCode, ErrorMessage } = Entries[0] ?? {};
      throw new Error(`EventBridge did not take "${detailType}": ${ErrorCode}: ${ErrorMessage}`);
    },
  };
}
