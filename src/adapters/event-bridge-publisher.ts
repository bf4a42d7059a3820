import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import { eventSource } from "../core/deployment/events.ts";
import { PipelineError } from "../core/execution/errors.ts";
import type { EventPublisher } from "../ports/event-publisher.ts";
import { awsError } from "./aws-errors.ts";

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
      const request = new PutEventsCommand({ Entries: [{ Source: eventSource, DetailType: detailType, Detail }] });
      const about = { action: "events:PutEvents", subject: "the default event bus of EventBridge" };
      const { FailedEntryCount = 0, Entries = [] } = await client.send(request).catch((error: unknown) => {
        throw awsError(error, about);
      });
      if (FailedEntryCount === 0) return;
      const { ErrorCode, ErrorMessage } = Entries[0] ?? {};
      throw new PipelineError("StoreFailed", `EventBridge did not take "${detailType}": ${ErrorCode}: ${ErrorMessage}`);
    },
  };
}
