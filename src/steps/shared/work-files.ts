import * as z from "zod";
import {
  type CopyBatch,
  type CopyReceipt,
  type CopySegment,
  copyReceipt,
  type PinnedStoreRef,
  planBatches,
} from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { type CopyItem, copyItem, type PreparedCopies } from "../../core/execution/messages.ts";
import { settleEach } from "../../core/execution/settle.ts";
import { parseWorkJson } from "../../core/execution/work-json.ts";
import { batchName, type workLayout } from "../../core/execution/work-layout.ts";
import type { StepContext } from "../../ports/step-context.ts";

type WorkLayout = ReturnType<typeof workLayout>;

/** At most so many requests to the work bucket at once. */
const workConcurrency = 32;

/** How many invocations a plan may be spread over while each still gets a worthwhile share. */
const parallelBatches = 64;

export async function writeWorkJson(context: StepContext, key: string, value: unknown): Promise<void> {
  await context.work.putText(key, JSON.stringify(value), { contentType: "application/json" });
}

/** Reads a file that this pipeline wrote; IDs in it are strings. */
export async function readWorkJson<T>(context: StepContext, key: string, schema: z.ZodType<T>): Promise<T> {
  return parseWorkJson(await context.work.getText(key), key, schema);
}

/** The same; undefined where the file was never written. */
export async function readWorkJsonIfThere<T>(
  context: Pick<StepContext, "work">,
  key: string,
  schema: z.ZodType<T>,
): Promise<T | undefined> {
  const text = await context.work.getTextIfPresent(key);
  return text === undefined ? undefined : parseWorkJson(text, key, schema);
}

/** Writes the batches of an execution and the item file the distributed map reads. */
export async function writeCopyBatches(
  context: StepContext,
  layout: WorkLayout,
  attempt: number,
  segments: readonly { segment: CopySegment; bytes: number }[],
  common: { readonly source: PinnedStoreRef; readonly destination: PinnedStoreRef; readonly checkLogCounts: boolean },
): Promise<PreparedCopies> {
  const batches = planBatches(segments, ({ bytes }) => bytes, { parallel: parallelBatches });
  const items = await settleEach(batches.entries(), workConcurrency, async ([index, members]): Promise<CopyItem> => {
    const name = batchName(attempt, index);
    const batch: CopyBatch = {
      ...common,
      batch: name,
      receiptKey: layout.receipt(name),
      cancelKey: layout.cancel,
      segments: members.map(({ segment }) => segment),
    };
    await writeWorkJson(context, layout.batch(name), batch);
    return { batchKey: layout.batch(name) };
  });
  await writeWorkJson(context, layout.items(attempt), items);
  return { itemsKey: layout.items(attempt), batches: batches.length, segments: segments.length };
}

/** The receipts of every batch of an attempt; throws CopyMismatch where one is missing, as no copy is believed without it. */
export async function readCopyReceipts(
  context: StepContext,
  layout: WorkLayout,
  attempt: number,
): Promise<CopyReceipt[]> {
  const items = await readWorkJson(context, layout.items(attempt), z.array(copyItem));
  return settleEach(items.keys(), workConcurrency, async (index) => {
    const key = layout.receipt(batchName(attempt, index));
    const receipt = await readWorkJsonIfThere(context, key, copyReceipt);
    if (receipt !== undefined) return receipt;
    throw new PipelineError(
      "CopyMismatch",
      `batch ${batchName(attempt, index)} left no receipt: its copy failed or never ran. Start the same command again: what is copied is kept`,
    );
  });
}
