import { stepFunctionsStarter } from "../../src/adapters/step-functions-starter.ts";
import { triggeredRestoreRequest } from "../../src/core/deployment/restore-trigger.ts";
import { parseRequest } from "../../src/core/execution/parse-request.ts";
import { startTriggeredRestore } from "../../src/steps/events/start-triggered-restore.ts";
import { observedHandler } from "../shared/step-handler.ts";
import { storeContext } from "../shared/store-context.ts";
import { variable } from "../shared/variable.ts";

const context = { ...storeContext(), restores: stepFunctionsStarter(variable("RESTORE_STATE_MACHINE_ARN")) };

export const handler = observedHandler(async (event) =>
  startTriggeredRestore(parseRequest(triggeredRestoreRequest, event), context),
);
