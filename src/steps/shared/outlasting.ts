import { type ErrorName, PipelineError } from "../../core/execution/errors.ts";
import type { Machine } from "../../core/execution/machines.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { readHeld } from "./held.ts";

interface FirstStepRequest {
  readonly execution: { readonly name: string };
  readonly attempt: number;
}

/** What the machines retry in every state, for what they retry in later ones only. */
const passingNames: Readonly<Partial<Record<ErrorName, ErrorName>>> = {
  StoreUnreachable: "StoreBusy",
  MilvusUnreachable: "MilvusBusy",
};

/**
 * The first step of a machine, so that an outage is told from a wrong address. Where nobody answers on the first contact the execution
 * fails at once. Where the execution holds something already (which it writes down once everything has answered), or plans again, what
 * does not answer restarts: the same fault under a name that is retried.
 */
export function outlasting<Request extends FirstStepRequest, Result, Context extends StepContext>(
  machine: Machine,
  prepare: (request: Request, context: Context) => Promise<Result>,
): (request: Request, context: Context) => Promise<Result> {
  return async (request, context) => {
    try {
      return await prepare(request, context);
    } catch (error) {
      const name = error instanceof PipelineError ? passingNames[error.name] : undefined;
      if (!(error instanceof PipelineError) || name === undefined) throw error;
      if (!(await hasAnswered(machine, request, context))) throw error;
      throw new PipelineError(name, `${error.message} (earlier in this execution it did answer)`, {
        details: error.details,
        cause: error,
      });
    }
  };
}

async function hasAnswered(
  machine: Machine,
  { execution, attempt }: FirstStepRequest,
  context: StepContext,
): Promise<boolean> {
  if (attempt > 0) return true;
  // the work bucket itself may be what does not answer: the fault of the step is the one to tell
  const held = await readHeld(context, workLayout(machine, execution.name)).catch(() => undefined);
  return held !== undefined;
}
