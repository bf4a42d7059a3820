import { restoreStepRequest } from "../../src/core/execution/messages.ts";
import { importSegments } from "../../src/steps/restore/import-segments.ts";
import { milvusContext } from "../shared/milvus-context.ts";
import { stepHandler } from "../shared/step-handler.ts";

/** Parquet is read by WebAssembly, in a file beside this one: loaded when rows are inserted. */
const payloads = async () => (await import("#payloads/parquet")).parquetPayloads;

export const handler = stepHandler(restoreStepRequest, importSegments, { ...milvusContext(), payloads });
