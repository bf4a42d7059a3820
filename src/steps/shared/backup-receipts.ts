import { addTotals, type CopyReceipt, type CopyTotals, noTotals } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { shortList } from "../../core/execution/short-list.ts";
import type { workLayout } from "../../core/execution/work-layout.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { copyReceipts } from "./work-files.ts";

/**
 * Passes over the receipts of copies out of a backup, which must be complete, every one of them.
 * Throws CorruptBackup, naming segments, where the backup does not hold what its meta says; CopyMismatch where a receipt is missing.
 * @param consequence what that means for the person, at the end of the message
 * @param visit gets each receipt: they are too many to be held
 * @returns what they come to
 */
export async function checkBackupReceipts(
  context: StepContext,
  layout: ReturnType<typeof workLayout>,
  backupName: string,
  consequence: string,
  visit: (receipt: CopyReceipt) => void = () => undefined,
): Promise<CopyTotals> {
  const totals = noTotals();
  const broken: string[] = [];
  const unfinished: string[] = [];
  for await (const receipt of copyReceipts(context, layout, 0)) {
    addTotals(totals, receipt);
    for (const { segmentId, problem, outcome } of receipt.segments) {
      if (outcome !== "copied") broken.push(problem ?? `segment ${segmentId}: ${outcome}`);
    }
    if (receipt.outcome !== "copied") unfinished.push(receipt.outcome);
    visit(receipt);
  }
  if (broken.length > 0) {
    throw new PipelineError(
      "CorruptBackup",
      `backup ${backupName} does not hold what its meta says in ${broken.length} segments: ${shortList(broken, { separator: "; " })}. ${consequence}`,
    );
  }
  if (unfinished.length > 0) {
    throw new PipelineError(
      "CopyMismatch",
      `${unfinished.length} batches were not copied to their end (${unfinished[0]}). Start the same command again: what is copied is kept`,
    );
  }
  return totals;
}
