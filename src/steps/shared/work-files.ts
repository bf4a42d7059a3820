import pLimit from "p-limit";
import { pMapIterable } from "p-map";
import {
  type CopyBatch,
  type CopyReceipt,
  type CopySegment,
  copyReceipt,
  planBatches,
} from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { CopyItem, PreparedCopies } from "../../core/execution/messages.ts";
import { parseWorkJson } from "../../core/execution/work-json.ts";
import { batchName, type workLayout } from "../../core/execution/work-layout.ts";
import type { StepContext } from "../../ports/step-context.ts";

type WorkLayout = ReturnType<typeof workLayout>;

/** At most so many requests to the work bucket at once. */
const workConcurrency = 32;

/** A receipt is a few megabytes: only so many are in memory at once. */
const receiptsAhead = 6;

/** How many invocations a plan may be spread over while each still gets a worthwhile share. */
const parallelBatches = 64;

export async function writeWorkJson(context: StepContext, key: string, value: unknown): Promise<void> {
  await context.work.putText(key, JSON.stringify(value), { contentType: "application/json" });
}

/** Reads a file that this pipeline wrote; IDs in it are strings. */
export async function readWorkJson<T>(context: StepContext, key: string): Promise<T> {
  return parseWorkJson(await context.work.getText(key), key) as T;
}

/** The same; undefined where the file was never written. */
export async function readWorkJsonIfThere<T>(context: StepContext, key: string): Promise<T | undefined> {
  const text = await context.work.getTextIfPresent(key);
  return text === undefined ? undefined : (parseWorkJson(text, key) as T);
}

/** Writes the batches of an execution and the item file the distributed map reads. */
export async function writeCopyBatches(
  context: StepContext,
  layout: WorkLayout,
  attempt: number,
  segments: readonly { segment: CopySegment; bytes: number }[],
  common: Pick<CopyBatch, "source" | "destination" | "checkLogCounts">,
): Promise<PreparedCopies> {
  const batches = planBatches(segments, ({ bytes }) => bytes, { parallel: parallelBatches });
  const limit = pLimit(workConcurrency);
  const items: CopyItem[] = await Promise.all(
    batches.map((members, index) =>
      limit(async () => {
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
      }),
    ),
  );
  await writeWorkJson(context, layout.items(attempt), items);
  return { itemsKey: layout.items(attempt), batches: batches.length, segments: segments.length };
}

/**
 * The receipts of every batch of an attempt, in the order in which they were planned, read as they are consumed.
 * Throws CopyMismatch where one is missing, as no copy is believed without it.
 */
export async function* copyReceipts(
  context: StepContext,
  layout: WorkLayout,
  attempt: number,
): AsyncGenerator<CopyReceipt> {
  const items = await readWorkJson<CopyItem[]>(context, layout.items(attempt));
  const read = async (name: string): Promise<CopyReceipt> => {
    const receipt = await readWorkJsonIfThere(context, layout.receipt(name));
    if (receipt !== undefined) return copyReceipt.parse(receipt);
    throw new PipelineError(
      "CopyMismatch",
      `batch ${name} left no receipt: its copy failed or never ran. Start the same command again: what is copied is kept`,
    );
  };
  const names = items.map((_, index) => batchName(attempt, index));
  yield* pMapIterable(names, read, { concurrency: receiptsAhead, backpressure: receiptsAhead });
}
