import { type ExportContext, exportSegments } from "../../src/steps/export/export-segments.ts";
import { batchHandler } from "../shared/batch-handler.ts";
import { storeContext } from "../shared/store-context.ts";

/** Parquet is read and written by WebAssembly, in a file beside this one. */
const context: ExportContext = {
  ...storeContext(),
  payloads: async () => (await import("#payloads/parquet")).parquetPayloads,
  tables: async () => (await import("#payloads/parquet")).tableFiles,
};

export const handler = batchHandler("ExportSegments", exportSegments, context);
