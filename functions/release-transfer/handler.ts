import { transferStepRequest } from "../../src/core/execution/messages.ts";
import { releaseTransfer } from "../../src/steps/transfer/release-transfer.ts";
import { releaseHandler } from "../shared/release-handler.ts";
import { storeContext } from "../shared/store-context.ts";

export const handler = releaseHandler("transfer", transferStepRequest, releaseTransfer, storeContext());
