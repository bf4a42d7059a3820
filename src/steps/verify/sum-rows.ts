import type { ObjectProblem } from "../../core/execution/copy-plan.ts";
import type { VerifiedRows } from "../../core/execution/messages.ts";
import type { WorkLayout } from "../../core/execution/work-layout.ts";
import type { RowsPlan } from "../../core/plan/verify.ts";
import {
  type CountedSegment,
  type KeyRun,
  mostComparedKeys,
  rowReceipt,
  rowsAttempt,
  rowsPercent,
} from "../../core/plan/verify-rows.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { readReceipts } from "../shared/work-files.ts";
import { findRepeated, repeatedProblems } from "./find-repeated.ts";
import { checkLookedAt } from "./looked-at.ts";

/** What became of the rows that were to be read. */
export interface SummedRows {
  readonly found: VerifiedRows;
  readonly warnings: readonly string[];
}

/**
 * Passes over the receipts of a verification's batches of rows, and finds the keys that are there several times across them. Held in memory are
 * about 200 bytes of each segment, and 80 MB of keys at a time.
 * @param tell gets each problem
 * @throws CopyMismatch where a batch was not read to its end, and what the work bucket throws
 */
export async function sumRows(
  context: StepContext,
  layout: WorkLayout,
  plan: RowsPlan,
  tell: (problem: ObjectProblem) => Promise<void>,
): Promise<SummedRows> {
  const segments: CountedSegment[] = [];
  const runs = new Map<number, KeyRun[]>();
  for await (const receipt of readReceipts(context, layout, rowsAttempt, rowReceipt)) {
    checkLookedAt(receipt);
    for (const { problems = [] } of receipt.segments) for (const problem of problems) await tell(problem);
    for (const one of receipt.counted) segments[one.number] = one;
    for (const run of receipt.runs) runs.set(run.collection, [...(runs.get(run.collection) ?? []), run]);
  }
  const warnings: string[] = [];
  const collections: VerifiedRows["collections"][number][] = [];
  const byCollection = Map.groupBy(segments, ({ collection }) => collection);
  for (const [number, { collection, isCut, givesKeys, ...about }] of plan.collections.entries()) {
    const counted = byCollection.get(number) ?? [];
    const rows = counted.reduce((sum, one) => sum + one.rows, 0);
    const living = counted.reduce((sum, one) => sum + one.living, 0);
    const repeated = await findRepeated(context.work, runs.get(number) ?? []);
    collections.push({ collection, rows, living, ...(repeated && { repeated: repeated.rows }) });
    if (repeated === undefined) {
      warnings.push(
        `keys of ${collection} were not compared: it has ${living} living rows, and no more than ${mostComparedKeys} are`,
      );
    } else if (repeated.rows > 0 && givesKeys && isCut) {
      const problems = repeatedProblems(repeated, { collection, isCut, givesKeys, ...about }, (one) => segments[one]);
      for (const problem of problems) await tell(problem);
    } else if (repeated.rows > 0) {
      warnings.push(
        `living rows of ${collection} with a key that another one has: ${repeated.rows}; ${whyPermitted(givesKeys)}`,
      );
    }
    if (!isCut && rows > 0) {
      warnings.push(
        `the backup does not say at which instant ${collection} was taken: all its rows and deletes count for what lives`,
      );
    }
  }
  if (plan.unread > 0) {
    warnings.push(
      `rows were not read of segments in packed Parquet (Milvus 2.6), or of an encrypted database: ${plan.unread}`,
    );
  }
  const sum = (of: "rows" | "living") => collections.reduce((total, one) => total + one[of], 0);
  const [rows, living] = [sum("rows"), sum("living")];
  const found = {
    percent: rowsPercent(plan, segments.length, rows),
    segments: segments.length,
    rows,
    living,
    collections,
  };
  return { found, warnings };
}

function whyPermitted(givesKeys: boolean): string {
  return givesKeys
    ? "the backup has no instant, and may hold segments of before and after a compaction"
    : "Milvus permits that where keys are given to it";
}
