import { type CopySegmentsRequest, copySegmentsRequest } from "../../src/core/execution/messages.ts";
import type { StepContext } from "../../src/ports/step-context.ts";
import { tellingWhy } from "./copy-failures.ts";
import { parseRequest } from "./parse-request.ts";
import { observedHandler } from "./step-handler.ts";

/** The handler of a function that works on one item of a map. @param state what it is called where it gave no answer */
export function batchHandler<Result extends object, Context extends Pick<StepContext, "work">>(
  state: string,
  step: (request: CopySegmentsRequest, context: Context) => Promise<Result>,
  context: Context,
) {
  return observedHandler(async (event) => {
    const request = parseRequest(copySegmentsRequest, event);
    return tellingWhy(request, context.work, () => step(request, context), state);
  });
}
