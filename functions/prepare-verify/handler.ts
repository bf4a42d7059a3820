import { verifyStepRequest } from "../../src/core/execution/messages.ts";
import { outlasting } from "../../src/steps/shared/outlasting.ts";
import { prepareVerify } from "../../src/steps/verify/prepare-verify.ts";
import { stepHandler } from "../shared/step-handler.ts";
import { storeContext } from "../shared/store-context.ts";

export const handler = stepHandler(verifyStepRequest, outlasting("verify", prepareVerify), storeContext());
