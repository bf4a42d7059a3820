import { ExecutionAlreadyExists, SFNClient, StartExecutionCommand } from "@aws-sdk/client-sfn";
import type { ExecutionStarter } from "../ports/execution-starter.ts";
import { awsError } from "./aws-errors.ts";

/** Executions by the Step Functions API, which refuses a name that was used in the last 90 days. */
export function stepFunctionsStarter(stateMachineArn: string, client: SFNClient = new SFNClient({})): ExecutionStarter {
  return {
    async startOnce(name, input) {
      try {
        await client.send(new StartExecutionCommand({ stateMachineArn, name, input: JSON.stringify(input) }));
        return "started";
      } catch (error) {
        if (error instanceof ExecutionAlreadyExists) return "already-started";
        throw awsError(error, { action: "states:StartExecution", subject: `execution ${name} of ${stateMachineArn}` });
      }
    },
  };
}
