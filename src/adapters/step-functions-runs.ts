import { ExecutionDoesNotExist, SFNClient, StopExecutionCommand } from "@aws-sdk/client-sfn";
import { executionArnOf } from "../core/execution/state-machine-arn.ts";
import { awsError } from "./aws-errors.ts";

/** Executions of one state machine by their names, for whoever ends those it started. */
export function stepFunctionsRuns(stateMachineArn: string, client: SFNClient = new SFNClient({})) {
  return {
    arnOf: (name: string) => executionArnOf(stateMachineArn, name),
    async stop(executionArn: string, reason: string): Promise<void> {
      try {
        await client.send(new StopExecutionCommand({ executionArn, error: "Stopped", cause: reason }));
      } catch (error) {
        if (error instanceof ExecutionDoesNotExist) return;
        throw awsError(error, { action: "states:StopExecution", subject: `execution ${executionArn}` });
      }
    },
  };
}
