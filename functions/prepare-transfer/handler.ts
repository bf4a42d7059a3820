import { transferStepRequest } from "../../src/core/execution/messages.ts";
import { outlasting } from "../../src/steps/shared/outlasting.ts";
import { prepareTransfer } from "../../src/steps/transfer/prepare-transfer.ts";
import { stepHandler } from "../shared/step-handler.ts";
import { storeContext } from "../shared/store-context.ts";

export const handler = stepHandler(transferStepRequest, outlasting("transfer", prepareTransfer), storeContext());
