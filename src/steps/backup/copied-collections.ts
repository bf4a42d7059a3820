import type { CopyReceipt, SegmentReceipt } from "../../core/execution/copy-plan.ts";
import type { PlannedCollection } from "../../core/plan/backup.ts";

/** A collection with what the copies of its segments left behind. */
export interface CopiedCollection {
  readonly collection: PlannedCollection;
  /** In the order of the plan. */
  readonly segments: AsyncIterable<SegmentReceipt>;
}

/**
 * The collections of a plan, each with its receipts, which are read as they are consumed: all of one collection before the next.
 * @param receipts in the order of the plan
 */
export async function* copiedCollections(
  collections: Iterable<PlannedCollection>,
  receipts: AsyncIterable<CopyReceipt>,
): AsyncGenerator<CopiedCollection> {
  const segments = segmentsOf(receipts);
  try {
    let next = await segments.next();
    for (const collection of collections) {
      const ofCollection = async function* () {
        while (!next.done && next.value.collectionId === collection.description.id) {
          yield next.value;
          next = await segments.next();
        }
      };
      yield { collection, segments: ofCollection() };
    }
  } finally {
    await segments.return(undefined);
  }
}

async function* segmentsOf(receipts: AsyncIterable<CopyReceipt>): AsyncGenerator<SegmentReceipt, undefined> {
  for await (const receipt of receipts) yield* receipt.segments;
  return undefined;
}
