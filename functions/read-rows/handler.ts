import { readRows } from "../../src/steps/verify/read-rows.ts";
import { batchHandler } from "../shared/batch-handler.ts";
import { storeContext } from "../shared/store-context.ts";

/** Parquet is read by WebAssembly, in a file beside this one: loaded when rows are read. */
const payloads = async () => (await import("#payloads/parquet")).parquetPayloads;

export const handler = batchHandler("ReadRows", readRows, { ...storeContext(), payloads });
