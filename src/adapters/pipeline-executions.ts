import {
  type ExecutionStatus as AwsStatus,
  DescribeExecutionCommand,
  ExecutionDoesNotExist,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  type SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from "@aws-sdk/client-sfn";
import type { ExecutionDescription, ExecutionStatus, PipelineExecutions } from "../ports/pipeline-executions.ts";

/**
 * Events of one state's start are among its machine's newest: a distributed map adds two or three after its own, and one within the
 * execution about ten a batch.
 */
const newestEvents = 100;

const statuses: Readonly<Record<AwsStatus, ExecutionStatus>> = {
  RUNNING: "running",
  PENDING_REDRIVE: "running",
  SUCCEEDED: "succeeded",
  FAILED: "failed",
  TIMED_OUT: "timed-out",
  ABORTED: "aborted",
};

/** Executions by the Step Functions API. Errors are those of the SDK. */
export function createPipelineExecutions(client: SFNClient): PipelineExecutions {
  return {
    async start({ stateMachineArn, name, input }) {
      const { executionArn } = await client.send(
        new StartExecutionCommand({ stateMachineArn, name, input: JSON.stringify(input) }),
      );
      return required(executionArn, "executionArn");
    },

    async describe(executionArn) {
      try {
        const found = await client.send(new DescribeExecutionCommand({ executionArn }));
        const description: ExecutionDescription = {
          arn: executionArn,
          name: found.name ?? nameOf(executionArn),
          stateMachineArn: required(found.stateMachineArn, "stateMachineArn"),
          status: statuses[required(found.status, "status")],
          startedAt: required(found.startDate, "startDate"),
          input: found.input ?? "{}",
          ...(found.stopDate && { stoppedAt: found.stopDate }),
          ...(found.output !== undefined && { output: found.output }),
          ...(found.error !== undefined && { error: found.error }),
          ...(found.cause !== undefined && { cause: found.cause }),
        };
        return description;
      } catch (error) {
        if (error instanceof ExecutionDoesNotExist) return undefined;
        throw error;
      }
    },

    async currentState(executionArn) {
      const { events = [] } = await client.send(
        new GetExecutionHistoryCommand({
          executionArn,
          reverseOrder: true,
          maxResults: newestEvents,
          includeExecutionData: false,
        }),
      );
      return events.find((event) => event.stateEnteredEventDetails)?.stateEnteredEventDetails?.name;
    },

    async list(stateMachineArn, limit) {
      const { executions = [] } = await client.send(new ListExecutionsCommand({ stateMachineArn, maxResults: limit }));
      return executions.map((execution) => ({
        arn: required(execution.executionArn, "executionArn"),
        name: required(execution.name, "name"),
        status: statuses[required(execution.status, "status")],
        startedAt: required(execution.startDate, "startDate"),
        ...(execution.stopDate && { stoppedAt: execution.stopDate }),
      }));
    },

    async stop(executionArn, reason) {
      await client.send(new StopExecutionCommand({ executionArn, error: "Stopped", cause: reason }));
    },
  };
}

/** The last part of an execution's ARN. */
function nameOf(executionArn: string): string {
  return executionArn.slice(executionArn.lastIndexOf(":") + 1);
}

function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`Step Functions answered without ${what}`);
  return value;
}
