import {
  type AllowedEnvironments,
  type EnvironmentUse,
  problemOfUse,
} from "../../core/deployment/allowed-environments.ts";
import { PipelineError } from "../../core/execution/errors.ts";

/**
 * Whether an execution may use environments so: asked before any of them is opened, by the first step of every machine.
 * @throws EnvironmentNotAllowed naming the key of pipeline.yaml
 */
export function checkAllowed(
  allowed: AllowedEnvironments,
  uses: Readonly<Partial<Record<EnvironmentUse, string>>>,
): void {
  for (const [use, name] of Object.entries(uses) as [EnvironmentUse, string][]) {
    const problem = problemOfUse(allowed, use, name);
    if (problem === undefined) continue;
    throw new PipelineError(
      "EnvironmentNotAllowed",
      `${problem}. Whoever owns the deployment adds it there and deploys again, or deploys another stack for it`,
      { details: { environment: name, key: `allowedEnvironments.${use}` } },
    );
  }
}
