import { garbageCollection } from "../../src/adapters/milvus/garbage-collection.ts";
import { copySegmentsRequest } from "../../src/core/execution/messages.ts";
import { type CopyContext, copySegments } from "../../src/steps/copy/copy-segments.ts";
import { tellingWhy } from "../shared/copy-failures.ts";
import { parseRequest } from "../shared/parse-request.ts";
import { observedHandler } from "../shared/step-handler.ts";
import { storeContext } from "../shared/store-context.ts";

const stores = storeContext();
const context: CopyContext = {
  ...stores,
  garbageCollection: async (environment) => garbageCollection(await stores.environments.get(environment)),
};

export const handler = observedHandler(async (event) => {
  const request = parseRequest(copySegmentsRequest, event);
  return tellingWhy(request, context.work, () => copySegments(request, context));
});
