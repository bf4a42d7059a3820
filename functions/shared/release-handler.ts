import * as z from "zod";
import { PipelineError } from "../../src/core/execution/errors.ts";
import { releasedFailure, unansweredStep } from "../../src/core/execution/failure.ts";
import type { Machine } from "../../src/core/execution/machines.ts";
import {
  type CaughtFailure,
  caughtFailure,
  type executionRef,
  type ReleaseResult,
} from "../../src/core/execution/messages.ts";
import { parseRequest } from "../../src/core/execution/parse-request.ts";
import { workLayout } from "../../src/core/execution/work-layout.ts";
import type { StepContext } from "../../src/ports/step-context.ts";
import { causeOf, explainMapFailure } from "./copy-failures.ts";
import { failureOf } from "./report-error.ts";
import { observedHandler, type Step } from "./step-handler.ts";

/** `unanswered` has the step that gave no answer, by the name of its state; `failure` is what failed otherwise. */
const releaseRequest = z.object({
  failure: caughtFailure,
  unanswered: z.record(z.string(), caughtFailure).default({}),
});

type StepRequest = { execution: z.infer<typeof executionRef> };

/**
 * The handler of a function that runs a machine's Release step: finds out why a map failed, then calls the step. An execution
 * whose input is not valid holds nothing: its failure is answered as it is.
 */
export function releaseHandler<Request extends StepRequest, Context extends StepContext>(
  machine: Machine,
  schema: z.ZodType<Request>,
  step: Step<Request & { failure: CaughtFailure }, ReleaseResult, Context>,
  context: Context,
) {
  return observedHandler<ReleaseResult>(async (event) => {
    const caught = caughtOf(parseRequest(releaseRequest, event));
    const request = validOrUndefined(schema, event);
    if (request === undefined) return releasedFailure(caught, "");
    const layout = workLayout(machine, request.execution.name);
    const failure = await explainMapFailure(context.work, layout, caught);
    return step({ ...request, failure }, context);
  });
}

/** What failed, as the machine hands it on. */
export function caughtOf({ failure, unanswered }: z.infer<typeof releaseRequest>): CaughtFailure {
  const [first] = Object.entries(unanswered);
  if (first === undefined) return failure;
  const { name, message } = failureOf(unansweredStep(...first));
  return { Error: name, Cause: causeOf({ name, message }) };
}

function validOrUndefined<Request>(schema: z.ZodType<Request>, event: unknown): Request | undefined {
  try {
    return parseRequest(schema, event);
  } catch (error) {
    if (error instanceof PipelineError && error.name === "InvalidInput") return undefined;
    throw error;
  }
}
