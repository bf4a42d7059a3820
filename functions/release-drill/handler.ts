import { drillStepRequest } from "../../src/core/execution/messages.ts";
import { releaseDrill } from "../../src/steps/drill/finish-drill.ts";
import { drillContext } from "../shared/drill-context.ts";
import { releaseHandler } from "../shared/release-handler.ts";

export const handler = releaseHandler("drill", drillStepRequest, releaseDrill, drillContext());
