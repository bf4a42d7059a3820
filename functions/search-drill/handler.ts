import { drillStepRequest } from "../../src/core/execution/messages.ts";
import { searchDrill } from "../../src/steps/drill/search-drill.ts";
import { milvusContext } from "../shared/milvus-context.ts";
import { stepHandler } from "../shared/step-handler.ts";

/** Parquet is read by WebAssembly, in a file beside this one: loaded when rows are read. */
const payloads = async () => (await import("#payloads/parquet")).parquetPayloads;

export const handler = stepHandler(drillStepRequest, searchDrill, { ...milvusContext(), payloads });
