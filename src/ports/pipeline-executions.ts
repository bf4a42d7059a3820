import type { BatchRun, ExecutionEvent } from "../core/report/execution.ts";

export type ExecutionStatus = "running" | "succeeded" | "failed" | "timed-out" | "aborted";

interface ExecutionSummary {
  readonly arn: string;
  readonly name: string;
  readonly status: ExecutionStatus;
  readonly startedAt: Date;
  readonly stoppedAt?: Date;
}

export interface ExecutionDescription extends ExecutionSummary {
  readonly stateMachineArn: string;
  /** JSON text. */
  readonly input: string;
  /** JSON text, once it succeeded. */
  readonly output?: string;
  /** Name of the error, once it failed. */
  readonly error?: string;
  /** What Step Functions knows of the error: often JSON of a Lambda's error. */
  readonly cause?: string;
}

/** The executions of the pipeline's state machines, from outside: what the CLI starts and follows. */
export interface PipelineExecutions {
  /** Starts an execution and answers its ARN. The same name with the same input starts nothing twice. */
  start(request: { stateMachineArn: string; name: string; input: object }): Promise<string>;
  /** undefined where there is no such execution. */
  describe(executionArn: string): Promise<ExecutionDescription | undefined>;
  /** The state that was entered last: `Copy Segments`; undefined before the first. */
  currentState(executionArn: string): Promise<string | undefined>;
  /** The newest executions of a machine, newest first. */
  list(stateMachineArn: string, limit: number): Promise<ExecutionSummary[]>;
  stop(executionArn: string, reason: string): Promise<void>;
  /** Where an execution was and what failed, oldest first; without what its maps ran. */
  history(executionArn: string): Promise<ExecutionEvent[]>;
  /** The items of its distributed maps with this label, each an execution of its own. */
  mapItems(executionArn: string, label: string): Promise<MapItem[]>;
}

/** An item of a distributed map. */
export interface MapItem extends Pick<BatchRun, "state" | "startedAt" | "stoppedAt"> {
  readonly arn: string;
}
