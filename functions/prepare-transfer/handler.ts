import { transferStepRequest } from "../../src/core/execution/messages.ts";
import { prepareTransfer } from "../../src/steps/transfer/prepare-transfer.ts";
import { stepHandler } from "../shared/step-handler.ts";
import { storeContext } from "../shared/store-context.ts";

export const handler = stepHandler(transferStepRequest, prepareTransfer, storeContext());
