import {
  type ExecutionStatus as AwsStatus,
  DescribeExecutionCommand,
  ExecutionDoesNotExist,
  type ExecutionListItem,
  type HistoryEvent,
  ListExecutionsCommand,
  paginateGetExecutionHistory,
  paginateListExecutions,
  paginateListMapRuns,
  type SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from "@aws-sdk/client-sfn";
import { readFailure } from "../core/execution/failure.ts";
import type { ExecutionEvent } from "../core/report/execution.ts";
import type {
  ExecutionDescription,
  ExecutionStatus,
  MapItem,
  PipelineExecutions,
} from "../ports/pipeline-executions.ts";

/**
 * Events of one state's start are among its machine's newest: a distributed map adds two or three after its own, and one within the
 * execution about ten a batch. Where its tasks are tried again and again, there are more behind it.
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
      const pages = paginateGetExecutionHistory(
        { client, pageSize: newestEvents },
        { executionArn, reverseOrder: true, includeExecutionData: false },
      );
      for await (const { events = [] } of pages) {
        const entered = events.find((event) => event.stateEnteredEventDetails);
        if (entered) return entered.stateEnteredEventDetails?.name;
      }
      return undefined;
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

    async history(executionArn) {
      const events: ExecutionEvent[] = [];
      const pages = paginateGetExecutionHistory({ client }, { executionArn, includeExecutionData: false });
      for await (const page of pages) events.push(...(page.events ?? []).flatMap(eventOf));
      return events;
    },

    async mapItems(executionArn, label) {
      const items: MapItem[] = [];
      for await (const { mapRuns = [] } of paginateListMapRuns({ client }, { executionArn })) {
        for (const { mapRunArn } of mapRuns) {
          // arn:aws:states:...:mapRun:<machine>/<label>:<id>
          if (mapRunArn === undefined || !mapRunArn.includes(`/${label}:`)) continue;
          for await (const { executions = [] } of paginateListExecutions({ client }, { mapRunArn })) {
            items.push(...executions.map(itemOf));
          }
        }
      }
      return items;
    },
  };
}

function itemOf({ executionArn, status, startDate, stopDate }: ExecutionListItem): MapItem {
  return {
    arn: required(executionArn, "executionArn"),
    state: statuses[required(status, "status")],
    startedAt: required(startDate, "startDate"),
    ...(stopDate && { stoppedAt: stopDate }),
  };
}

/** What a machine decides or passes on takes no time worth a line. */
const visited = /^(?:Task|Map|Wait|Parallel)State(Entered|Exited)$/;
const started = /^(?:TaskScheduled|LambdaFunctionScheduled)$/;
const failed = /^(?:Task|LambdaFunction|Activity)(?:\w*Failed|TimedOut)$/;

function eventOf(event: HistoryEvent): ExecutionEvent[] {
  const { type = "", timestamp } = event;
  const at = required(timestamp, "timestamp");
  const state = event.stateEnteredEventDetails?.name ?? event.stateExitedEventDetails?.name;
  const [, visit] = visited.exec(type) ?? [];
  if (visit !== undefined && state !== undefined)
    return [{ at, kind: visit === "Entered" ? "entered" : "exited", state }];
  if (started.test(type)) return [{ at, kind: "scheduled" }];
  if (!failed.test(type)) return [];
  const details = [
    event.taskFailedEventDetails,
    event.taskTimedOutEventDetails,
    event.lambdaFunctionFailedEventDetails,
    event.lambdaFunctionTimedOutEventDetails,
    event.taskSubmitFailedEventDetails,
    event.taskStartFailedEventDetails,
    event.lambdaFunctionScheduleFailedEventDetails,
    event.lambdaFunctionStartFailedEventDetails,
  ].find((it) => it !== undefined);
  const { error } = readFailure({ Error: details?.error ?? "States.Timeout", Cause: details?.cause ?? "" });
  return [{ at, kind: "failed", error }];
}

/** The last part of an execution's ARN. */
function nameOf(executionArn: string): string {
  return executionArn.slice(executionArn.lastIndexOf(":") + 1);
}

function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`Step Functions answered without ${what}`);
  return value;
}
