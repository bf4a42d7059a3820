import type { Logger } from "@aws-lambda-powertools/logger";
import type { MiddlewareObj } from "@middy/core";
import { PipelineError } from "../../src/core/execution/errors.ts";

/** Step Functions keeps 32 KiB of a cause; the name, the quotes and the log line need some of it. */
const longestMessage = 8_000;

/** What is left of an error outside of a function: its name and one line. Causes and their fields can hold signed requests. */
export class StepFailure extends Error {
  override readonly name: string;

  constructor(name: string, message: string) {
    super(message);
    this.name = name;
    // Lambda hands the stack to Step Functions as `trace`; the log has the real one.
    this.stack = message;
  }
}

/**
 * The error as Step Functions gets it: `errorType` is its name, `errorMessage` its name and message in one line (consoles show
 * the message alone, emulators give every error one type); `readFailure` in core takes them apart.
 */
export function failureOf(error: unknown): StepFailure {
  if (!(error instanceof Error)) return new StepFailure("Error", oneLine(String(error)));
  return new StepFailure(error.name, `${error.name}: ${oneLine(error.message)}`);
}

/** The error as the log gets it: everything that helps, nothing of the requests that SDK errors carry along. */
export function loggedError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) };
  return {
    name: error.name,
    message: error.message,
    ...(error instanceof PipelineError && { kind: error.kind, details: error.details }),
    stack: error.stack,
    causes: causesOf(error),
  };
}

/** Logs what a step threw and hands on what may leave the function. */
export function reportErrors(logger: Logger): MiddlewareObj {
  return {
    onError(request) {
      logger.error("step failed", { failure: loggedError(request.error) });
      request.error = failureOf(request.error);
    },
  };
}

function causesOf(error: Error): string[] {
  const causes: string[] = [];
  for (let cause = error.cause; cause instanceof Error && causes.length < 10; cause = cause.cause) {
    causes.push(`${cause.name}: ${cause.message}`);
  }
  return causes;
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > longestMessage ? `${line.slice(0, longestMessage)}...` : line;
}
