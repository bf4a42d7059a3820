import { garbageCollection } from "../../src/adapters/milvus/garbage-collection.ts";
import { type CopyContext, copySegments } from "../../src/steps/copy/copy-segments.ts";
import { batchHandler } from "../shared/batch-handler.ts";
import { storeContext } from "../shared/store-context.ts";

const stores = storeContext();
const context: CopyContext = {
  ...stores,
  garbageCollection: async (environment) => garbageCollection(await stores.environments.get(environment)),
};

export const handler = batchHandler("CopySegments", copySegments, context);
