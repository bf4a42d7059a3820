import type { CopyReceipt } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";

/** @throws CopyMismatch where a batch was not looked at to its end */
export function checkLookedAt({ outcome, batch }: Pick<CopyReceipt, "outcome" | "batch">): void {
  if (outcome !== "cancelled") return;
  throw new PipelineError(
    "CopyMismatch",
    `batch ${batch} was not looked at to its end: the execution was stopped; verify the backup again`,
  );
}
