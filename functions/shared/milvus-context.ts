import { connectMilvus } from "../../src/adapters/milvus/index.ts";
import type { MilvusContext } from "../../src/ports/step-context.ts";
import { storeContext } from "./store-context.ts";

/** The adapters of a function that also talks to Milvus. */
export function milvusContext(): MilvusContext {
  return { ...storeContext(), connectMilvus: (environment) => connectMilvus(environment) };
}
