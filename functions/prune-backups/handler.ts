import * as z from "zod";
import { eventBridgePublisher } from "../../src/adapters/event-bridge-publisher.ts";
import { retentionInput } from "../../src/core/events.ts";
import { stateMachineOf } from "../../src/core/state-machine-arn.ts";
import { pruneBackups } from "../../src/steps/prune-backups.ts";
import { parseRequest } from "../shared/parse-request.ts";
import { failureOf } from "../shared/report-error.ts";
import { observedHandler } from "../shared/step-handler.ts";
import { storeContext, variable } from "../shared/store-context.ts";

/** What the rule of a schedule sends when one of its backups is complete. */
const pruneRequest = z.object({
  input: retentionInput,
  /** ARN of the backup's execution. */
  execution: z.string().startsWith("arn:"),
  startTime: z.string().min(1),
});

const context = storeContext();
const events = eventBridgePublisher(variable("STACK_NAME"));

export const handler = observedHandler(async (event) => {
  const { input, execution, startTime } = parseRequest(pruneRequest, event);
  const about = { machine: "retention", execution, startTime, input } as const;
  try {
    const result = await pruneBackups({ input, stateMachine: stateMachineOf(execution) }, context);
    await events.publish("Retention Applied", { ...about, result });
    return result;
  } catch (error) {
    const { name, message } = failureOf(error);
    const failure = { Error: name, Cause: JSON.stringify({ errorType: name, errorMessage: message }) };
    // What it failed with counts more than that nobody could be told: an alarm watches the function's errors too.
    await events.publish("Retention Failed", { ...about, failure }).catch(() => undefined);
    throw error;
  }
});
