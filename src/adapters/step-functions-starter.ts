import { ExecutionAlreadyExists, SFNClient, StartExecutionCommand } from "@aws-sdk/client-sfn";
import type { ExecutionStarter } from "../ports/execution-starter.ts";

/** Executions by the Step Functions API, which refuses a name that was used in the last 90 days. Other errors are the SDK's. */
export function stepFunctionsStarter(stateMachineArn: string, client: SFNClient = new SFNClient({})): ExecutionStarter {
  return {
    async startOnce(name, input) {
      try {
        await client.send(new StartExecutionCommand({ stateMachineArn, name, input: JSON.stringify(input) }));
        return "started";
      } catch (error) {
        if (error instanceof ExecutionAlreadyExists) return "already-started";
        throw error;
      }
    },
  };
}
