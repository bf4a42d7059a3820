import { drillStepRequest } from "../../src/core/execution/messages.ts";
import { cleanDrill } from "../../src/steps/drill/finish-drill.ts";
import { drillContext } from "../shared/drill-context.ts";
import { countGoodDrill } from "../shared/observability.ts";
import { stepHandler } from "../shared/step-handler.ts";

export const handler = stepHandler(
  drillStepRequest,
  async (request, context) => {
    const result = await cleanDrill(request, context);
    countGoodDrill(request.input.drill);
    return result;
  },
  drillContext(),
);
