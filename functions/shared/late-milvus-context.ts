import { garbageCollection } from "../../src/adapters/milvus/garbage-collection.ts";
import { functionPatience } from "../../src/adapters/patience.ts";
import type { MilvusContext } from "../../src/ports/step-context.ts";
import { storeContext } from "./store-context.ts";

/**
 * The adapters of a function that seldom talks to Milvus: the client, which takes as long to load as everything else, is loaded when it first
 * does. A function that always does has `milvus-context.ts`: what is loaded before the first invocation is loaded with more CPU.
 */
export function lateMilvusContext(): MilvusContext {
  const context = storeContext();
  const patience = functionPatience(context.log);
  return {
    ...context,
    async connectMilvus(environment) {
      const { connectMilvus } = await import("../../src/adapters/milvus/index.ts");
      return connectMilvus(environment, { patience });
    },
    garbageCollection,
  };
}
