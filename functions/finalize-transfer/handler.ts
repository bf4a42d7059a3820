import { transferStepRequest } from "../../src/core/messages.ts";
import { finalizeTransfer } from "../../src/steps/finalize-transfer.ts";
import { stepHandler } from "../shared/step-handler.ts";
import { storeContext } from "../shared/store-context.ts";

export const handler = stepHandler(transferStepRequest, finalizeTransfer, storeContext());
