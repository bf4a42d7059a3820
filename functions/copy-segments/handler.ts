import { copySegmentsRequest } from "../../src/core/execution/messages.ts";
import { copySegments } from "../../src/steps/copy/copy-segments.ts";
import { recordCopyFailure } from "../shared/copy-failures.ts";
import { parseRequest } from "../shared/parse-request.ts";
import { observedHandler } from "../shared/step-handler.ts";
import { storeContext } from "../shared/store-context.ts";

const context = storeContext();

export const handler = observedHandler(async (event) => {
  const request = parseRequest(copySegmentsRequest, event);
  try {
    return await copySegments(request, context);
  } catch (error) {
    await recordCopyFailure(context.work, request.batchKey, error);
    throw error;
  }
});
