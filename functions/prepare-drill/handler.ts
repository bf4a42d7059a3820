import { drillStepRequest } from "../../src/core/execution/messages.ts";
import { prepareDrill } from "../../src/steps/drill/prepare-drill.ts";
import { drillContext } from "../shared/drill-context.ts";
import { stepHandler } from "../shared/step-handler.ts";

export const handler = stepHandler(drillStepRequest, prepareDrill, drillContext());
