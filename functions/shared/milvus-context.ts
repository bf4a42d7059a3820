import { garbageCollection } from "../../src/adapters/milvus/garbage-collection.ts";
import { connectMilvus } from "../../src/adapters/milvus/index.ts";
import { functionPatience } from "../../src/adapters/patience.ts";
import type { MilvusContext } from "../../src/ports/step-context.ts";
import { storeContext } from "./store-context.ts";

/** The adapters of a function that also talks to Milvus. */
export function milvusContext(): MilvusContext {
  const context = storeContext();
  const patience = functionPatience(context.log);
  return { ...context, connectMilvus: (environment) => connectMilvus(environment, { patience }), garbageCollection };
}
