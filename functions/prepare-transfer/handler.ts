import { transferStepRequest } from "../../src/core/messages.ts";
import { prepareTransfer } from "../../src/steps/prepare-transfer.ts";
import { stepHandler } from "../shared/step-handler.ts";
import { storeContext } from "../shared/store-context.ts";

export const handler = stepHandler(transferStepRequest, prepareTransfer, storeContext());
