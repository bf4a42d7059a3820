import { verifyStepRequest } from "../../src/core/execution/messages.ts";
import { releaseVerify } from "../../src/steps/verify/release-verify.ts";
import { releaseHandler } from "../shared/release-handler.ts";
import { storeContext } from "../shared/store-context.ts";

export const handler = releaseHandler("verify", verifyStepRequest, releaseVerify, storeContext());
