import { DescribeExecutionCommand, ExecutionDoesNotExist, InvalidArn, SFNClient } from "@aws-sdk/client-sfn";
import type { Executions } from "../ports/step-context.ts";

/** Asks Step Functions whether an execution is still going on; one that was forgotten (90 days) is over. */
export function stepFunctionsExecutions(client: SFNClient = new SFNClient({})): Executions {
  return {
    async state(executionArn) {
      try {
        const { status } = await client.send(new DescribeExecutionCommand({ executionArn }));
        return status === "RUNNING" || status === "PENDING_REDRIVE" ? "running" : "over";
      } catch (error) {
        if (error instanceof ExecutionDoesNotExist) return "over";
        // Another deployment's, or no execution's ARN at all: whoever asks must not conclude that it is over.
        if (error instanceof InvalidArn || (error instanceof Error && error.name === "AccessDeniedException")) {
          return "unknown";
        }
        throw error;
      }
    },
  };
}
