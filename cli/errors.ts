import type { DocumentOf } from "./documents/index.ts";

/** What goes wrong on this side of the pipeline; errors of the pipeline itself keep their own names. */
type CliErrorName =
  | "Usage"
  | "ConfigNotFound"
  | "EnvironmentDiffers"
  | "NoAwsCredentials"
  | "AwsAccessDenied"
  | "AwsUnreachable"
  | "AwsFailed"
  | "PipelineNotDeployed"
  | "ExecutionNotFound"
  | "ExecutionFailed"
  | "FunctionFailed"
  | "Unfinished"
  | "Interrupted";

/** An error for the person at the terminal: the message says what is wrong and what to do. */
export class CliError extends Error {
  override readonly name: CliErrorName;

  constructor(name: CliErrorName, message: string, options: { cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = name;
  }
}

/** An execution of the pipeline that did not succeed; `error` is the pipeline's own name for what went wrong. */
export class ExecutionError extends CliError {
  readonly error: string;
  readonly executionArn: string;

  constructor(error: string, message: string, executionArn: string) {
    super("ExecutionFailed", message);
    this.error = error;
    this.executionArn = executionArn;
  }
}

/** The person pressed Ctrl-C while an execution was followed; it goes on without us. */
export class DetachedError extends CliError {
  readonly execution: DocumentOf<"execution">;

  constructor(message: string, execution: DocumentOf<"execution">) {
    super("Interrupted", message);
    this.execution = execution;
  }
}

/** The person pressed Ctrl-C while an execution was being started: nobody has said yet whether it was. */
export class InterruptedStartError extends CliError {
  /** Of the execution, where there is one. */
  readonly executionArn: string;

  constructor(message: string, executionArn: string) {
    super("Interrupted", message);
    this.executionArn = executionArn;
  }
}
