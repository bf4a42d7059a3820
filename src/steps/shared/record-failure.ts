import type { CaughtFailure } from "../../core/execution/messages.ts";
import { settleAll } from "../../core/execution/settle.ts";
import type { WorkLayout } from "../../core/execution/work-layout.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { writeWorkJson } from "./work-files.ts";

/** Asks copies that are still running to stop, and keeps why the execution failed where its other files are. */
export async function recordFailure(context: StepContext, layout: WorkLayout, failure: CaughtFailure): Promise<void> {
  await settleAll([
    context.work.putText(layout.cancel, "the execution failed\n"),
    writeWorkJson(context, layout.failure, { error: failure.Error, cause: failure.Cause, at: context.clock.now() }),
  ]);
  context.log.warn("execution failed", { error: failure.Error });
}
