import { exportStepRequest } from "../../src/core/execution/messages.ts";
import { releaseExport } from "../../src/steps/export/release-export.ts";
import { releaseHandler } from "../shared/release-handler.ts";
import { storeContext } from "../shared/store-context.ts";

export const handler = releaseHandler("export", exportStepRequest, releaseExport, storeContext());
