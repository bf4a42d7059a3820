import { stepFunctionsRuns } from "../../src/adapters/step-functions-runs.ts";
import type { DrillContext } from "../../src/steps/drill/drill-context.ts";
import { milvusContext } from "./milvus-context.ts";
import { variable } from "./variable.ts";

/** The adapters of a function of a drill. */
export function drillContext(): DrillContext {
  return { ...milvusContext(), restores: stepFunctionsRuns(variable("RESTORE_STATE_MACHINE_ARN")) };
}
