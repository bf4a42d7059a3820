import { isErrorName, lambdaErrors, PipelineError } from "./errors.ts";
import type { CaughtFailure, ReleaseResult } from "./messages.ts";

/** A failure as people read it. */
interface Failure {
  /** `CollectionNotFound`, `States.Timeout` ... */
  readonly error: string;
  readonly message: string;
}

/**
 * Reads what Step Functions caught. A Lambda's Cause is JSON with `errorType` and `errorMessage`, and the message begins with the
 * error's name: emulators know no other type than their own.
 */
export function readFailure(caught: CaughtFailure): Failure {
  const parsed = parseCause(caught.Cause);
  const text = parsed?.errorMessage ?? (caught.Cause || caught.Error);
  const named = /^([A-Z][A-Za-z]+): (.*)$/s.exec(text);
  if (named?.[1] && named[2] && isErrorName(named[1])) return { error: named[1], message: named[2] };
  return { error: parsed?.errorType ?? caught.Error, message: text };
}

/** The failure again, in the shape of a Lambda's Cause, with what the execution leaves behind said in the message. */
export function releasedFailure(caught: CaughtFailure, left: string): ReleaseResult {
  const { error, message } = readFailure(caught);
  return {
    error,
    cause: JSON.stringify({
      errorType: error,
      errorMessage: `${isErrorName(error) ? `${error}: ` : ""}${message}${left ? `. What is left: ${left}` : ""}`,
    }),
    left,
  };
}

/**
 * What is told of a step whose function gave no answer, after all its tries.
 * @param state as Catch notes it: the name of the state without blanks, which is that of its function too
 * @param then what became of the last try of one that was killed
 */
export function unansweredStep(state: string, caught: CaughtFailure, then = "killed again"): PipelineError {
  const words = state.replace(/(?<=[a-z])(?=[A-Z])/g, " ");
  const name = words.replaceAll(" ", "-").toLowerCase();
  const { message } = readFailure(caught);
  const said = message === caught.Error ? caught.Error : `${caught.Error}: ${message}`;
  const again = "Start the same again: it goes on with what is there";
  if (lambdaErrors.killed.some((error) => error === caught.Error)) {
    return new PipelineError(
      "StepKilled",
      `${words} was killed, and ${then} when it was tried once more: its function ran out of memory, as a rule (${said}). Give it more, ` +
        `by functions.${name}.memoryMiB in pipeline.yaml, and deploy. ${again}`,
    );
  }
  const unsaid = caught.Error === "Lambda.Unknown" ? ", or ran out of memory" : "";
  return new PipelineError(
    "StepTimedOut",
    `${words} gave no answer within its time${unsaid}, however often it was tried (${said}). The log of its function and the execution in ` +
      `Step Functions tell what it was at. ${again}`,
  );
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
