import type { CopyReceipt } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { shortList } from "../../core/execution/short-list.ts";
import type { workLayout } from "../../core/execution/work-layout.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { readCopyReceipts } from "./work-files.ts";

/**
 * The receipts of copies out of a backup, every one of them complete.
 * Throws CorruptBackup, naming segments, where the backup does not hold what its meta says; CopyMismatch where a receipt is missing.
 * @param consequence what that means for the person, at the end of the message
 */
export async function readBackupReceipts(
  context: StepContext,
  layout: ReturnType<typeof workLayout>,
  backupName: string,
  consequence: string,
): Promise<CopyReceipt[]> {
  const receipts = await readCopyReceipts(context, layout, 0);
  const broken = receipts.flatMap(({ segments }) => segments).filter(({ outcome }) => outcome !== "copied");
  if (broken.length > 0) {
    const named = broken.map(({ segmentId, problem, outcome }) => problem ?? `segment ${segmentId}: ${outcome}`);
    throw new PipelineError(
      "CorruptBackup",
      `backup ${backupName} does not hold what its meta says in ${broken.length} segments: ${shortList(named, { separator: "; " })}. ${consequence}`,
    );
  }
  const unfinished = receipts.filter(({ outcome }) => outcome !== "copied");
  if (unfinished.length > 0) {
    throw new PipelineError(
      "CopyMismatch",
      `${unfinished.length} batches were not copied to their end (${unfinished[0]?.outcome}). Start the same command again: what is copied is kept`,
    );
  }
  return receipts;
}
