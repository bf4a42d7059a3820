import { setTimeout as sleep } from "node:timers/promises";
import { environmentRegistry } from "../../src/adapters/environment-registry.ts";
import { functionPatience } from "../../src/adapters/patience.ts";
import { stepFunctionsExecutions } from "../../src/adapters/step-functions-executions.ts";
import { openWorkStore, storeOpener } from "../../src/adapters/store-opener.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { StepContext, StepLog } from "../../src/ports/step-context.ts";
import { allowedHere } from "./allowed-here.ts";
import { logger } from "./observability.ts";
import { variable } from "./variable.ts";

export const systemClock: Clock = {
  now: () => new Date(),
  sleep: async (milliseconds) => {
    await sleep(milliseconds);
  },
};

/**
 * The adapters of a function that talks to object stores only. The Milvus client is half of a bundle's size: only functions that
 * import `milvus-context.ts` have it.
 * Made once a container, so that connections outlive an invocation.
 */
export function storeContext(): StepContext {
  const environments = environmentRegistry({ prefix: variable("ENVIRONMENTS_PREFIX") });
  const log: StepLog = {
    info: (message, details = {}) => logger.info(message, details),
    warn: (message, details = {}) => logger.warn(message, details),
  };
  const patience = functionPatience(log);
  return {
    work: openWorkStore(variable("WORK_BUCKET"), patience),
    environments,
    allowed: allowedHere(),
    openStore: storeOpener(environments, patience),
    executions: stepFunctionsExecutions(),
    clock: systemClock,
    log,
  };
}
