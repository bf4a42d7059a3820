import { verifyStepRequest } from "../../src/core/execution/messages.ts";
import { finalizeVerify } from "../../src/steps/verify/finalize-verify.ts";
import { stepHandler } from "../shared/step-handler.ts";
import { storeContext } from "../shared/store-context.ts";

export const handler = stepHandler(verifyStepRequest, finalizeVerify, storeContext());
