import { buckets, RepeatedKeys, rangeOf } from "../../core/binlog/key-entries.ts";
import type { ObjectProblem } from "../../core/execution/copy-plan.ts";
import { settleEach } from "../../core/execution/settle.ts";
import type { RowsPlan } from "../../core/plan/verify.ts";
import { type CountedSegment, type KeyRun, mostComparedKeys } from "../../core/plan/verify-rows.ts";
import type { ObjectStore } from "../../ports/object-store.ts";

/** Entries that are held at once: 20 bytes each, and 6 of the table. */
const entriesAtOnce = 3_000_000;
/** Files that are read side by side. */
const filesAtOnce = 16;
/** Pairs of segments that are named; what comes behind them is counted. */
const namedPairs = 1_000;

/** What of the keys of a collection is there several times. */
export interface RepeatedInCollection {
  /** Living rows whose key another one has: of three rows of one key, two. */
  readonly rows: number;
  /** Where, by pairs of segments; `others` of them are left out. */
  readonly pairs: readonly RepeatedPair[];
  readonly others: number;
}

interface RepeatedPair {
  readonly segments: readonly [number, number];
  rows: number;
  /** The smallest of them; undefined of texts. */
  smallest: bigint | undefined;
}

/**
 * Finds the keys of a collection that several living rows have, whichever batches read them.
 * @param runs of that collection
 * @returns undefined where they are more than are compared
 * @throws what the work bucket throws
 */
export async function findRepeated(
  work: Pick<ObjectStore, "readRange">,
  runs: readonly KeyRun[],
): Promise<RepeatedInCollection | undefined> {
  const counts = Array.from({ length: buckets }, (_, bucket) =>
    runs.reduce((sum, run) => sum + (run.counts[bucket] ?? 0), 0),
  );
  if (counts.reduce((sum, count) => sum + count, 0) > mostComparedKeys) return undefined;
  const pairs = new Map<string, RepeatedPair>();
  let rows = 0;
  let others = 0;
  for (let from = 0; from < buckets; ) {
    let to = from + 1;
    let expected = counts[from] ?? 0;
    while (to < buckets && expected + (counts[to] ?? 0) <= entriesAtOnce) {
      expected += counts[to] ?? 0;
      to += 1;
    }
    const table = new RepeatedKeys(expected);
    await settleEach(runs, filesAtOnce, async (run) => {
      const range = rangeOf(run.counts, from, to);
      if (range.size === 0) return;
      const size = rangeOf(run.counts, 0, buckets).size;
      const bytes = await work.readRange({ key: run.key, etag: run.etag, size }, range);
      for (const { key, segments } of table.add(bytes)) {
        rows += 1;
        const [first, second] = segments;
        const name = first < second ? `${first} ${second}` : `${second} ${first}`;
        const pair = pairs.get(name);
        if (pair) {
          pair.rows += 1;
          if (key !== undefined && pair.smallest !== undefined && key < pair.smallest) pair.smallest = key;
        } else if (pairs.size < namedPairs) pairs.set(name, { segments, rows: 1, smallest: key });
        else others += 1;
      }
    });
    from = to;
  }
  return { rows, pairs: [...pairs.values()], others };
}

/**
 * Nothing in a backup tells them apart: imports of Milvus 2.4 and later keep row IDs and timestamps as a compaction does. The second one is no fault of
 * the backup, but a collection in which a key that is there once answers twice is not what anybody wanted to keep.
 */
const causes =
  "it holds both sides of a compaction, or its collection had those rows twice, of an import that ran twice or two restores with skipCreate";

/** What is wrong where Milvus gives the keys out, each pair of segments by the later one's logs of keys. */
export function repeatedProblems(
  { pairs, others }: RepeatedInCollection,
  { primaryKey: { name, id } }: RowsPlan["collections"][number],
  segmentOf: (number: number) => CountedSegment | undefined,
): ObjectProblem[] {
  const told = pairs.map(({ segments, rows, smallest }): ObjectProblem => {
    const [first, second] = [...segments].sort((one, other) => one - other).map(segmentOf);
    const keys = `${rows} ${rows === 1 ? "key" : "keys"}${smallest === undefined ? "" : ` (${rows === 1 ? "" : "from "}${smallest})`}`;
    const where = first?.number === second?.number ? "stands twice in it" : `lives in segment ${first?.segmentId} too`;
    const detail = `field ${name} (${id}): of ${keys} a row ${where}, and Milvus gave each key out once: ${causes}`;
    return { key: `${second?.directory}${id}/`, kind: "inconsistent", detail };
  });
  if (others === 0) return told;
  const last = told.at(-1);
  return [
    ...told.slice(0, -1),
    ...(last ? [{ ...last, detail: `${last.detail}; so are ${others} more elsewhere` }] : []),
  ];
}
