import * as z from "zod";
import { eventBridgePublisher } from "../../src/adapters/event-bridge-publisher.ts";
import { retentionInput } from "../../src/core/deployment/events.ts";
import { applyRetention } from "../../src/steps/events/apply-retention.ts";
import { stepHandler } from "../shared/step-handler.ts";
import { storeContext } from "../shared/store-context.ts";
import { variable } from "../shared/variable.ts";

/** What the rule of a schedule sends when one of its backups is complete. */
const retentionRequest = z.object({
  input: retentionInput,
  execution: z.string().startsWith("arn:"),
  startTime: z.string().min(1),
});

const context = { ...storeContext(), events: eventBridgePublisher(variable("STACK_NAME")) };

export const handler = stepHandler(retentionRequest, async (request) => applyRetention(request, context), context);
