import { type CheckAnswer, type CheckRequest, type CheckResult, checkRequest } from "../../src/core/check/result.ts";
import { parseRequest } from "../../src/core/execution/parse-request.ts";
import type { StepContext } from "../../src/ports/step-context.ts";
import { checkStores } from "../../src/steps/check/check-stores.ts";
import { variable } from "./variable.ts";

/**
 * Lets a function answer checks beside its step, so that what is tried is tried with its role, in its network.
 * @param step what it does with every other event
 */
export function answeringChecks<Result extends object>(
  check: (request: CheckRequest["check"]) => Promise<CheckResult[]>,
  step: (event: unknown) => Promise<Result>,
): (event: unknown) => Promise<Result | CheckAnswer> {
  return async (event) => {
    if (typeof event !== "object" || event === null || !("check" in event)) return step(event);
    return { checks: await check(parseRequest(checkRequest, event).check) };
  };
}

/**
 * Checks both buckets of an environment.
 * @param functionName as its folder is called
 */
export async function checkStoresHere(
  { environment: name, id, restoreOnly = false }: CheckRequest["check"],
  context: Pick<StepContext, "environments" | "openStore" | "clock">,
  functionName: string,
): Promise<CheckResult[]> {
  return checkStores(await context.environments.get(name), {
    openStore: (side) => context.openStore({ environment: name, side }),
    clock: context.clock,
    runner: { name: `the role of the function ${variable("STACK_NAME")}-${functionName}` },
    asksForLocks: false,
    restoreOnly,
    id,
  });
}
