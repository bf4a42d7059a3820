import type { SegmentReceipt } from "../../core/execution/copy-plan.ts";
import { covers } from "../../core/execution/object-lock.ts";
import { type BackupPlan, type PlanEntry, type PlannedCollection, plannedCollection } from "../../core/plan/backup.ts";
import { notLocked } from "../shared/locks.ts";
import { readCopyReceipts, readWorkJson, type WorkFiles } from "../shared/work-files.ts";

/** A collection with what the copies of its segments left behind. */
export interface CopiedCollection {
  readonly collection: PlannedCollection;
  /** In the order in which the collection plans its segments. */
  readonly segments: AsyncIterable<SegmentReceipt>;
}

/**
 * The collections of a plan, each with the receipts of the attempt that planned it. All is read as it is consumed: the segments of one
 * collection before the next collection.
 * @throws CopyMismatch where a receipt is missing
 */
export async function* copiedCollections(
  plan: BackupPlan,
  { context, layout }: WorkFiles,
): AsyncGenerator<CopiedCollection> {
  const attempts = new Map<number, Receipts>();
  try {
    for (const entry of plan.collections) {
      const receipts = attempts.get(entry.attempt) ?? new Receipts({ context, layout }, entry.attempt);
      attempts.set(entry.attempt, receipts);
      const collection = await readWorkJson(context, layout.collection(entry.attempt, entry.index), plannedCollection);
      yield { collection, segments: receipts.of(entry) };
    }
  } finally {
    for (const receipts of attempts.values()) await receipts.end();
  }
}

/**
 * The receipts of every segment of a plan, of whatever outcome: those of each collection from the attempt that planned it.
 * @throws CopyMismatch where a receipt is missing, or does not say that what it tells of is locked as was planned
 */
export async function* plannedReceipts(
  plan: BackupPlan,
  { context, layout, attempt }: WorkFiles & { readonly attempt: number },
): AsyncGenerator<SegmentReceipt> {
  const plannedIn = new Map(plan.collections.map((entry) => [entry.id, entry.attempt]));
  // an attempt may have planned nothing that has segments: its receipts must be there all the same
  for (const one of new Set([attempt, ...plannedIn.values()])) {
    for await (const { batch, segments, lock } of readCopyReceipts(context, layout, one)) {
      if (plan.lock && !covers(lock, plan.lock)) throw notLocked(batch, plan.lock);
      for (const segment of segments) if (plannedIn.get(segment.collectionId) === one) yield segment;
    }
  }
}

/** What one attempt copied, in the order of its plan; collections that a later one planned anew are left out. */
class Receipts {
  readonly #segments: AsyncGenerator<SegmentReceipt, undefined>;
  #next: SegmentReceipt | undefined;

  constructor({ context, layout }: WorkFiles, attempt: number) {
    this.#segments = (async function* () {
      for await (const { segments } of readCopyReceipts(context, layout, attempt)) yield* segments;
      return undefined;
    })();
  }

  async *of({ id, segments }: PlanEntry): AsyncGenerator<SegmentReceipt> {
    if (segments === 0) return;
    this.#next ??= await this.#read();
    while (this.#next !== undefined && this.#next.collectionId !== id) this.#next = await this.#read();
    while (this.#next?.collectionId === id) {
      yield this.#next;
      this.#next = await this.#read();
    }
  }

  async end(): Promise<void> {
    await this.#segments.return(undefined);
  }

  async #read(): Promise<SegmentReceipt | undefined> {
    return (await this.#segments.next()).value;
  }
}
