import { type CopySegmentsRequest, copySegmentsRequest } from "../../src/core/execution/messages.ts";
import { parseRequest } from "../../src/core/execution/parse-request.ts";
import type { StepContext } from "../../src/ports/step-context.ts";
import { tellingWhy } from "./copy-failures.ts";
import { observedHandler } from "./step-handler.ts";

type BatchStep<Result, Context> = (request: CopySegmentsRequest, context: Context) => Promise<Result>;

/** What a function does that works on one item of a map. @param state what it is called where it gave no answer */
export function batchStep<Result extends object, Context extends Pick<StepContext, "work">>(
  state: string,
  step: BatchStep<Result, Context>,
  context: Context,
): (event: unknown) => Promise<Result> {
  return async (event) => {
    const request = parseRequest(copySegmentsRequest, event);
    return tellingWhy(request, context.work, () => step(request, context), state);
  };
}

/** The handler of such a function. @param state what it is called where it gave no answer */
export function batchHandler<Result extends object, Context extends Pick<StepContext, "work">>(
  state: string,
  step: BatchStep<Result, Context>,
  context: Context,
) {
  return observedHandler(batchStep(state, step, context));
}
