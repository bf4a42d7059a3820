import * as z from "zod";
import {
  type CopyBatch,
  type CopyReceipt,
  type CopyUnit,
  type CountedSegments,
  copyReceipt,
  type PinnedStoreRef,
  planBatches,
} from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { type CopyItem, copyItem, fewBatches, type PreparedCopies } from "../../core/execution/messages.ts";
import { settleAll, settleStream } from "../../core/execution/settle.ts";
import { parseWorkJson } from "../../core/execution/work-json.ts";
import { batchName, type WorkLayout } from "../../core/execution/work-layout.ts";
import type { ImportFiles } from "../../core/milvus/descriptions.ts";
import type { SizedSegment } from "../../core/plan/segment-copies.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { copyUnits } from "./copy-units.ts";

const batchCount = z.object({ batches: z.number().int().min(0) });

/** The work files of an execution, and how to get at them. */
export interface WorkFiles {
  readonly context: StepContext;
  readonly layout: WorkLayout;
}

/** At most so many requests to the work bucket at once; each holds a file in memory that may be megabytes. */
const workConcurrency = 8;

/** A receipt is parsed as soon as it comes, and takes a few megabytes until it is its turn. */
const receiptsAhead = 6;

/** How many invocations a plan may be spread over while each still gets a worthwhile share. */
export const parallelBatches = 64;

export async function writeWorkJson(context: Pick<StepContext, "work">, key: string, value: unknown): Promise<void> {
  await context.work.putText(key, JSON.stringify(value), { contentType: "application/json" });
}

/** Reads a file that this pipeline wrote; IDs in it are strings. */
export async function readWorkJson<T>(
  context: Pick<StepContext, "work">,
  key: string,
  schema: z.ZodType<T>,
): Promise<T> {
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

/**
 * Writes the batches of an execution as they fill, and then the item file the distributed map reads.
 * @param segments all of them, or their count and what brings them one after another
 */
export async function writeCopyBatches(
  context: StepContext,
  layout: WorkLayout,
  attempt: number,
  segments: readonly SizedSegment[] | CountedSegments<SizedSegment>,
  common: Pick<
    CopyBatch,
    "checkLogCounts" | "claim" | "segmentsClaim" | "content" | "repair" | "verify" | "lock" | "storageClass"
  > & {
    readonly source: PinnedStoreRef;
    readonly destination: PinnedStoreRef;
  },
): Promise<PreparedCopies> {
  const counted = "segments" in segments ? segments : { segments, count: segments.length };
  const units = { count: counted.count, segments: copyUnits(counted.segments) };
  const planned = planBatches(units, ({ bytes }) => bytes, {
    parallel: parallelBatches,
    isAlone: ({ merged }) => merged,
  });
  return writeBatches(context, layout, attempt, planned, async (members, name) => {
    const batch: CopyBatch = {
      ...common,
      batch: name,
      receiptKey: layout.receipt(name),
      cancelKey: layout.cancel,
      ...mergedOf(members),
      segments: members.flatMap((unit) => unit.segments),
    };
    const isStored = batch.segments.every(({ prefixes, stored }) => stored !== undefined && prefixes.length === 0);
    // what is stored already has to be locked
    const isDone = isStored && batch.lock === undefined;
    if (isDone) await writeWorkJson(context, batch.receiptKey, receiptOfStored(batch));
    else await writeWorkJson(context, layout.batch(name), batch);
    return { isDone, segments: batch.segments.length };
  });
}

/**
 * Writes the batches of an execution as they come, and then the item file the distributed map reads.
 * @param write writes one under its name; `isDone` of one that no function is to be invoked for
 */
export async function writeBatches<T>(
  context: StepContext,
  layout: WorkLayout,
  attempt: number,
  planned: AsyncIterable<readonly T[]>,
  write: (members: readonly T[], name: string) => Promise<{ isDone: boolean; segments: number }>,
): Promise<PreparedCopies> {
  const written = settleStream(planned, workConcurrency, async (members, index) => {
    const name = batchName(attempt, index);
    const { isDone, segments } = await write(members, name);
    return { item: isDone ? undefined : { batchKey: layout.batch(name) }, segments };
  });
  const items: CopyItem[] = [];
  let count = 0;
  let all = 0;
  for await (const { item, segments: members } of written) {
    if (item) items.push(item);
    all += 1;
    count += members;
  }
  await settleAll([
    writeWorkJson(context, layout.batchCount(attempt), { batches: all }),
    writeWorkJson(context, layout.items(attempt), items),
  ]);
  const few = items.length > 0 && items.length <= fewBatches ? { few: items } : {};
  return { itemsKey: layout.items(attempt), batches: items.length, segments: count, ...few };
}

/** What a batch says of segments that are merged: they are a batch of their own. */
function mergedOf(members: readonly CopyUnit[]): Pick<CopyBatch, "merged" | "apart"> {
  const found = members.find(({ merged }) => merged);
  return found ? { merged: true, ...(found.apart && { apart: found.apart }) } : {};
}

/** Of a batch of which nothing is to be copied. */
function receiptOfStored({ batch, segments }: CopyBatch): CopyReceipt {
  const receipts = segments.map(({ collectionId, partitionId, segmentId, stored = [] }) => {
    const insertLogs = stored;
    return { collectionId, partitionId, segmentId, outcome: "copied" as const, insertLogs, deltaLogs: [] };
  });
  const logs = receipts.flatMap(({ insertLogs }) => insertLogs);
  const bytes = logs.reduce((sum, { size }) => sum + size, 0);
  const [objects, skippedObjects] = [logs.length, logs.length];
  return { batch, outcome: "copied", objects, bytes, skippedObjects, segments: receipts };
}

/** Writes what each import of a restore reads. */
export async function writeImportFiles(
  context: StepContext,
  layout: WorkLayout,
  imports: Iterable<{ readonly task: number; readonly files: readonly ImportFiles[] }>,
): Promise<void> {
  const write = ({ task, files }: { task: number; files: readonly ImportFiles[] }) =>
    writeWorkJson(context, layout.importFiles(task), files);
  for await (const _ of settleStream(imports, workConcurrency, write));
}

/**
 * The receipts of every batch of an attempt in order, read as they are consumed.
 * @throws CopyMismatch where one is missing, as no copy is believed without it
 */
export function readCopyReceipts(
  context: StepContext,
  layout: WorkLayout,
  attempt: number,
): AsyncGenerator<CopyReceipt, void, undefined> {
  return readReceipts(context, layout, attempt, copyReceipt);
}

/** The same of receipts that tell more. */
export async function* readReceipts<T>(
  context: StepContext,
  layout: WorkLayout,
  attempt: number,
  schema: z.ZodType<T>,
): AsyncGenerator<T, void, undefined> {
  const counted = await readWorkJsonIfThere(context, layout.batchCount(attempt), batchCount);
  // an execution that an earlier version planned has batches with something to copy only
  const batches = counted?.batches ?? (await readWorkJson(context, layout.items(attempt), z.array(copyItem))).length;
  const names = Array.from({ length: batches }, (_, index) => batchName(attempt, index));
  yield* settleStream(names, receiptsAhead, (name) => readReceipt(context, layout, name, schema));
}

async function readReceipt<T>(
  context: StepContext,
  layout: WorkLayout,
  batch: string,
  schema: z.ZodType<T>,
): Promise<T> {
  const receipt = await readWorkJsonIfThere(context, layout.receipt(batch), schema);
  if (receipt !== undefined) return receipt;
  throw new PipelineError(
    "CopyMismatch",
    `batch ${batch} left no receipt: its copy failed or never ran. Start the same command again: what is copied is kept`,
  );
}
