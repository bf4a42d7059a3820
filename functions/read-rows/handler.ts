import { copySegmentsRequest } from "../../src/core/execution/messages.ts";
import { readRows } from "../../src/steps/verify/read-rows.ts";
import { tellingWhy } from "../shared/copy-failures.ts";
import { parseRequest } from "../shared/parse-request.ts";
import { observedHandler } from "../shared/step-handler.ts";
import { storeContext } from "../shared/store-context.ts";

/** Parquet is read by WebAssembly, in a file beside this one: loaded when rows are read. */
const payloads = async () => (await import("#payloads/parquet")).parquetPayloads;

const context = { ...storeContext(), payloads };

export const handler = observedHandler(async (event) => {
  const request = parseRequest(copySegmentsRequest, event);
  return tellingWhy(request, context.work, () => readRows(request, context), "ReadRows");
});
