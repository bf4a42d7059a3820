import type { CopyReceipt, MergedLog } from "../../core/execution/copy-plan.ts";
import { countOf, wasOrWere } from "../../core/execution/count-of.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { WorkLayout } from "../../core/execution/work-layout.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { readCopyReceipts } from "./work-files.ts";

/**
 * The receipts of copies out of a backup, read as they are consumed. Only the end tells that all of them are complete: nothing that
 * cannot be taken back may be done before it.
 * @param consequence what problems mean for the person, at the end of the message
 * @throws CorruptBackup at the end, naming segments, where the backup does not hold what its meta says; CopyMismatch where a receipt is
 *   missing, a batch did not come to its end, or the destination holds something else that backups share
 */
export async function* readBackupReceipts(
  context: StepContext,
  layout: WorkLayout,
  backupName: string,
  consequence: string,
): AsyncGenerator<CopyReceipt, void, undefined> {
  const broken = new ProblemList();
  const conflicting = new ProblemList();
  const unfinished = new ProblemList();
  for await (const receipt of readCopyReceipts(context, layout, 0)) {
    for (const { segmentId, problem, outcome } of receipt.segments) {
      if (outcome === "conflict") conflicting.add(problem ?? `segment ${segmentId}`);
      else if (outcome !== "copied") broken.add(problem ?? `segment ${segmentId}: ${outcome}`);
    }
    if (receipt.outcome !== "copied") unfinished.add(receipt.outcome);
    yield receipt;
  }
  if (broken.count > 0) {
    throw new PipelineError(
      "CorruptBackup",
      `backup ${backupName} does not hold what was backed up in ${countOf(broken.count, "segment")}: ${broken}. ${consequence}`,
    );
  }
  if (conflicting.count > 0) {
    throw new PipelineError(
      "CopyMismatch",
      `backup ${backupName} has ${countOf(conflicting.count, "segment", ["that is", "that are"])} stored at the destination with other content: ${conflicting}. Nothing was overwritten. ` +
        '"milvus-backup sweep" removes them there if no backup names them; otherwise find out which of the two is right, or copy with --plain',
    );
  }
  if (unfinished.count > 0) {
    throw new PipelineError(
      "CopyMismatch",
      `${countOf(unfinished.count, "batch", wasOrWere)} not copied to the end (${unfinished.first}). Start the same command again: what is copied is kept`,
    );
  }
}

/**
 * Reads all of them for their problems, for what could not be compared, and for what was put together.
 * @returns how many objects there are, how many of them were compared by their size only, and the logs that others were merged into
 * @throws as `readBackupReceipts`
 */
export async function checkBackupReceipts(
  ...of: Parameters<typeof readBackupReceipts>
): Promise<{ objects: number; bySize: number; merged: readonly MergedLog[] }> {
  const checked = { objects: 0, bySize: 0, merged: [] as MergedLog[] };
  for await (const receipt of readBackupReceipts(...of)) {
    checked.objects += receipt.objects;
    checked.bySize += receipt.bySize ?? 0;
    checked.merged.push(...(receipt.merged ?? []));
  }
  return checked;
}

/** What is wrong, counted; only as many sentences are kept as a message names. */
class ProblemList {
  count = 0;
  readonly #named: string[] = [];

  add(problem: string): void {
    this.count += 1;
    if (this.#named.length < namedProblems) this.#named.push(problem);
  }

  get first(): string | undefined {
    return this.#named[0];
  }

  toString(): string {
    const more = this.count - this.#named.length;
    return [...this.#named, ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
  }
}

const namedProblems = 10;
