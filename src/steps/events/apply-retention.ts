import type { RetentionInput, RetentionResult } from "../../core/deployment/events.ts";
import { stateMachineOf } from "../../core/execution/state-machine-arn.ts";
import type { EventPublisher } from "../../ports/event-publisher.ts";
import { pruneBackups, type RetentionContext } from "./prune-backups.ts";

export interface ApplyRetentionRequest {
  readonly input: RetentionInput;
  /** ARN of the execution that made the backup which it follows. */
  readonly execution: string;
  /** When that started, ISO 8601. */
  readonly startTime: string;
}

/** Prunes the backups of a schedule after one of them is complete, and announces what was done or why it failed. Throws what pruning does. */
export async function applyRetention(
  request: ApplyRetentionRequest,
  context: RetentionContext & { events: EventPublisher },
): Promise<RetentionResult> {
  const { input, execution, startTime } = request;
  const about = { machine: "retention", execution, startTime, input } as const;
  const result = await pruneBackups({ input, stateMachine: stateMachineOf(execution), execution }, context).catch(
    async (error: unknown) => {
      const [name, message] = error instanceof Error ? [error.name, error.message] : ["Error", String(error)];
      const Cause = JSON.stringify({ errorType: name, errorMessage: `${name}: ${message}` });
      // What it failed with counts more than that nobody could be told: an alarm watches the function's errors too.
      await context.events
        .publish("Retention Failed", { ...about, failure: { Error: name, Cause } })
        .catch(() => context.log.warn("the failure of retention could not be announced"));
      throw error;
    },
  );
  await context.events.publish("Retention Applied", { ...about, result });
  return result;
}
