import type { CopySegment, SegmentReceipt } from "../../core/execution/copy-plan.ts";
import { shortList } from "../../core/execution/short-list.ts";
import type { ObjectStore, ObjectSummary } from "../../ports/object-store.ts";

/** What the stores hold for the prefixes of a batch, before anything is copied. */
export interface BatchStores {
  readonly source: ObjectStore;
  readonly destination: ObjectStore;
  readonly listed: ReadonlyMap<string, readonly ObjectSummary[]>;
  readonly present: ReadonlyMap<string, readonly ObjectSummary[]>;
  /** @throws ClaimLost where nothing more may be written */
  readonly confirm: () => Promise<void>;
}

export function receiptOf(
  { collectionId, partitionId, segmentId }: CopySegment,
  outcome: Pick<SegmentReceipt, "outcome" | "problem">,
  logs: Pick<SegmentReceipt, "insertLogs" | "deltaLogs"> = { insertLogs: [], deltaLogs: [] },
): SegmentReceipt {
  return { collectionId, partitionId, segmentId, ...outcome, ...logs };
}

/** What lies there is not what was backed up. */
export function mismatch(segment: CopySegment, problems: readonly string[]): SegmentReceipt {
  const problem = `segment ${segment.segmentId}: ${shortList(problems, { limit: 3, separator: "; " })}`;
  return receiptOf(segment, { outcome: "mismatch", problem });
}
