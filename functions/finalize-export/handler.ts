import { exportStepRequest } from "../../src/core/execution/messages.ts";
import { finalizeExport } from "../../src/steps/export/finalize-export.ts";
import { stepHandler } from "../shared/step-handler.ts";
import { storeContext } from "../shared/store-context.ts";

export const handler = stepHandler(exportStepRequest, finalizeExport, storeContext());
