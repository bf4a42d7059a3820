import { garbageCollection } from "../../src/adapters/milvus/garbage-collection.ts";
import { type CopyContext, copySegments } from "../../src/steps/copy/copy-segments.ts";
import { batchStep } from "../shared/batch-handler.ts";
import { answeringChecks, checkStoresHere } from "../shared/check-door.ts";
import { observedHandler } from "../shared/step-handler.ts";
import { storeContext } from "../shared/store-context.ts";

const stores = storeContext();
const context: CopyContext = {
  ...stores,
  // WebAssembly in a file beside this one: a start without it stays fast
  payloads: async () => (await import("#payloads/parquet")).parquetPayloads,
  garbageCollectionOf: async (environment) => garbageCollection(await stores.environments.get(environment)),
};

export const handler = observedHandler(
  answeringChecks(
    (request) => checkStoresHere(request, stores, "copy-segments"),
    batchStep("CopySegments", copySegments, context),
  ),
);
