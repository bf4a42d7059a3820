import { transferStepRequest } from "../../src/core/execution/messages.ts";
import { finalizeTransfer } from "../../src/steps/transfer/finalize-transfer.ts";
import { stepHandler } from "../shared/step-handler.ts";
import { storeContext } from "../shared/store-context.ts";

export const handler = stepHandler(transferStepRequest, finalizeTransfer, storeContext());
