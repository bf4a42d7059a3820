import { logger } from "../shared/observability.ts";
import { observedHandler } from "../shared/step-handler.ts";
import { systemClock } from "../shared/store-context.ts";
import { variable } from "../shared/variable.ts";
import { functionConnections } from "./connections.ts";
import { serveApi } from "./serve.ts";

const environment = variable("API_ENVIRONMENT");

export const handler = observedHandler(
  serveApi({ connections: functionConnections(environment), clock: systemClock, environment, log: logger }),
);
