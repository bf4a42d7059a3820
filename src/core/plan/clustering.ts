import type { Id, SegmentDescription } from "../milvus/descriptions.ts";

/**
 * A segment that may be the result of a clustering compaction that is not over, and those that may be what it is made of: while the index of the
 * results is built, Milvus lists both, and names both in the answer to a flush (2.4 and newer, `compaction_task_clustering.go`).
 */
export interface PossibleDouble {
  readonly result: SegmentDescription;
  readonly inputs: readonly SegmentDescription[];
}

/**
 * Which segments have to be looked into. Results are L2 segments, and only clustering compaction makes any. What they are made of is of the same
 * partition and channel, and has their rows and maybe more: rows that are deleted are left behind.
 * @param segments that a backup would take
 * @param options.channelOf "" where Milvus does not tell: then the segments of all channels may be inputs
 * @param options.ordered results have larger IDs than what they are made of
 * @returns of a partition and channel in the order of their IDs
 */
export function possibleDoubles(
  segments: readonly SegmentDescription[],
  { channelOf, ordered }: { readonly channelOf: (segmentId: Id) => string; readonly ordered: boolean },
): PossibleDouble[] {
  const groups = Map.groupBy(
    segments.filter(({ isL0, rows }) => !isL0 && rows > 0n),
    ({ partitionId, id }) => `${partitionId} ${channelOf(id)}`,
  );
  return [...groups.values()].flatMap((group) => {
    const inOrder = group.toSorted((a, b) => (BigInt(a.id) < BigInt(b.id) ? -1 : 1));
    return inOrder.flatMap((result, index) => {
      if (!result.isL2) return [];
      const inputs = ordered ? inOrder.slice(0, index) : inOrder.toSpliced(index, 1);
      const rows = inputs.reduce((sum, input) => sum + input.rows, 0n);
      return rows >= result.rows ? [{ result, inputs }] : [];
    });
  });
}

/**
 * Puts those whose rows are looked for in one pass together, in their order.
 * @param mostRows of all results of a group; one that has more is alone
 */
export function provenTogether(possible: readonly PossibleDouble[], mostRows: number): PossibleDouble[][] {
  const groups: PossibleDouble[][] = [];
  let rows = 0n;
  for (const one of possible) {
    rows += one.result.rows;
    const group = groups.at(-1);
    if (group !== undefined && rows <= mostRows) group.push(one);
    else {
      groups.push([one]);
      rows = one.result.rows;
    }
  }
  return groups;
}
