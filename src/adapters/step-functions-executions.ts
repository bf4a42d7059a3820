import { DescribeExecutionCommand, ExecutionDoesNotExist, SFNClient } from "@aws-sdk/client-sfn";
import type { Executions } from "../ports/step-context.ts";

/** Asks Step Functions whether an execution is still going on; one that was forgotten (90 days) is over. */
export function stepFunctionsExecutions(client: SFNClient = new SFNClient({})): Executions {
  return {
    async isRunning(executionArn) {
      try {
        const { status } = await client.send(new DescribeExecutionCommand({ executionArn }));
        return status === "RUNNING" || status === "PENDING_REDRIVE";
      } catch (error) {
        if (error instanceof ExecutionDoesNotExist) return false;
        throw error;
      }
    },
  };
}
