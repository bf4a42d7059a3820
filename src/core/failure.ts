import type { CaughtFailure, ReleaseResult } from "./messages.ts";

/** A failure as people read it. */
export interface Failure {
  /** `CollectionNotFound`, `States.Timeout` ... */
  readonly error: string;
  readonly message: string;
}

/**
 * Reads what Step Functions caught. A Lambda's Cause is JSON with `errorType` and `errorMessage`; its Error is the same type on
 * AWS, and a general name in emulators, so the Cause decides.
 */
export function readFailure(caught: CaughtFailure): Failure {
  const parsed = parseCause(caught.Cause);
  return {
    error: parsed?.errorType ?? caught.Error,
    message: parsed?.errorMessage ?? (caught.Cause || caught.Error),
  };
}

/** The failure again, in the shape of a Lambda's Cause, with what the execution leaves behind said in the message. */
export function releasedFailure(caught: CaughtFailure, left: string): ReleaseResult {
  const { error, message } = readFailure(caught);
  return {
    error,
    cause: JSON.stringify({ errorType: error, errorMessage: left ? `${message}. What is left: ${left}` : message }),
    left,
  };
}

function parseCause(cause: string): { errorType?: string; errorMessage?: string } | undefined {
  try {
    const value: unknown = JSON.parse(cause);
    if (typeof value !== "object" || value === null) return undefined;
    const { errorType, errorMessage } = value as Record<string, unknown>;
    return {
      ...(typeof errorType === "string" && { errorType }),
      ...(typeof errorMessage === "string" && { errorMessage }),
    };
  } catch {
    return undefined;
  }
}
