import { type AllowedEnvironments, allowedEnvironments } from "../../src/core/deployment/allowed-environments.ts";
import { variable } from "./variable.ts";

/** What executions of this deployment may name, as pipeline.yaml says it. */
export function allowedHere(): AllowedEnvironments {
  return allowedEnvironments.parse(JSON.parse(variable("ALLOWED_ENVIRONMENTS")));
}
