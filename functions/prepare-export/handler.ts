import { exportStepRequest } from "../../src/core/execution/messages.ts";
import { prepareExport } from "../../src/steps/export/prepare-export.ts";
import { outlasting } from "../../src/steps/shared/outlasting.ts";
import { stepHandler } from "../shared/step-handler.ts";
import { storeContext } from "../shared/store-context.ts";

export const handler = stepHandler(exportStepRequest, outlasting("export", prepareExport), storeContext());
