/** An import of segments that was submitted and of which the server tells nothing any more. */
export interface ForgottenImport {
  /** PlannedImport.task */
  readonly task: number;
  /** Rows it brings at most. */
  readonly rows: bigint;
  /** Rows it brings at least. */
  readonly minimumRows: bigint;
  /** Rows it said it had imported when it was last seen; 0n where it said none. */
  readonly reportedRows: bigint;
  /** Whether the server says that it is complete, and not what it brought: only its number of rows is to be told. */
  readonly complete?: boolean;
}

/** What can be observed of one collection some of whose imports are forgotten. */
export interface ForgottenFacts {
  readonly forgotten: readonly ForgottenImport[];
  /** Imports of which nobody knows whether they were submitted at all, and of which the server tells nothing either. */
  readonly perhaps?: readonly ForgottenImport[];
  /** Rows of all imports that are recorded as complete. */
  readonly completedRows: bigint;
  /** Rows that Milvus counts now, without those that were there before the restore. */
  readonly countedRows: bigint;
  /** Whether anything else is being imported into the collection: then the count moves. */
  readonly othersRun: boolean;
  /** Whether anybody may write into the collection meanwhile (`skipCreate`): then only the exact number of rows proves anything. */
  readonly othersWrite?: boolean;
  /** Since the last of them was first missed. */
  readonly missedMilliseconds: number;
}

/**
 * What became of them:
 * - wait: it cannot be told yet
 * - arrived: all that are told by task brought their rows; one that was perhaps submitted and is not among them brought nothing
 * - nothing: none of them brought a row
 * - unclear: rows are there that are neither all nor none of them
 */
export type ForgottenVerdict =
  | { readonly outcome: "wait" }
  | { readonly outcome: "arrived"; readonly rows: ReadonlyMap<number, bigint> }
  | { readonly outcome: "nothing" }
  | { readonly outcome: "unclear"; readonly arrivedRows: bigint };

/** Asked again so long before a count that does not say it all is believed: counts lag behind imports by seconds. */
const patienceMilliseconds = 120_000;

/**
 * Tells by row counts what became of the imports of one collection that the server has forgotten: Milvus remembers an import that ended
 * for hours only (2.4+: three). Arrived are all of them or none is said to be: a count that would be as right if one of them had
 * brought nothing proves nothing.
 */
export function judgeForgotten({ perhaps = [], ...facts }: ForgottenFacts): ForgottenVerdict {
  if (perhaps.length === 0) return judgeSubmitted(facts);
  const all = judgeSubmitted({ ...facts, forgotten: [...facts.forgotten, ...perhaps] });
  if (all.outcome === "arrived") return all;
  const verdict = judgeSubmitted(facts);
  const arrivedRows = facts.countedRows - facts.completedRows;
  const isProven = verdict.outcome !== "arrived" || !canBring(arrivedRows, perhaps, facts.forgotten);
  return isProven ? verdict : { outcome: "unclear", arrivedRows };
}

/** More sums than these are not looked at one by one: with so many imports of as many sizes some of them fit. */
const mostSums = 10_000;

/** Whether at least one of `some`, with any of `others` or none, can have brought so many rows. */
function canBring(rows: bigint, some: readonly ForgottenImport[], others: readonly ForgottenImport[]): boolean {
  let without: readonly Range[] = [{ least: 0n, most: 0n }];
  for (const one of others) without = merged([...without, ...plus(without, one)], rows);
  let reached: readonly Range[] = [];
  for (const one of some) {
    reached = merged([...reached, ...plus(reached, one), ...plus(without, one)], rows);
    if (reached.length + without.length > mostSums) return true;
  }
  return reached.some(({ least, most }) => least <= rows && rows <= most);
}

interface Range {
  readonly least: bigint;
  readonly most: bigint;
}

function plus(ranges: readonly Range[], { minimumRows, rows }: ForgottenImport): Range[] {
  return ranges.map(({ least, most }) => ({ least: least + minimumRows, most: most + rows }));
}

/** Those that begin at `upTo` or before, as few as say the same. */
function merged(ranges: readonly Range[], upTo: bigint): Range[] {
  const sorted = ranges.filter(({ least }) => least <= upTo).toSorted((a, b) => Number(a.least - b.least));
  const result: Range[] = [];
  for (const range of sorted) {
    const last = result.at(-1);
    if (!last || range.least > last.most + 1n) result.push(range);
    else if (range.most > last.most) result[result.length - 1] = { least: last.least, most: range.most };
  }
  return result;
}

function judgeSubmitted(facts: Omit<ForgottenFacts, "perhaps">): ForgottenVerdict {
  const { forgotten, othersRun, missedMilliseconds } = facts;
  if (othersRun) return { outcome: "wait" };
  const arrived = facts.countedRows - facts.completedRows;
  const most = sum(forgotten, ({ rows }) => rows);
  if (arrived === most) return { outcome: "arrived", rows: byTask(forgotten, ({ rows }) => rows) };
  const reported = sum(forgotten, ({ reportedRows }) => reportedRows);
  if (arrived === reported && forgotten.every(isReported)) {
    return { outcome: "arrived", rows: byTask(forgotten, ({ reportedRows }) => reportedRows) };
  }
  if (missedMilliseconds < patienceMilliseconds) return { outcome: "wait" };
  const least = sum(forgotten, ({ minimumRows }) => minimumRows);
  const isComplete = forgotten.every(({ complete }) => complete);
  if (arrived === 0n && !(isComplete && least === 0n)) return { outcome: "nothing" };
  const needsAll = forgotten.every(({ rows, complete }) => complete || rows === 0n || arrived > most - rows);
  if ((facts.othersWrite && !isComplete) || arrived < least || arrived > most || !needsAll)
    return { outcome: "unclear", arrivedRows: arrived };
  return { outcome: "arrived", rows: shares(forgotten, arrived - least) };
}

/**
 * The same of an import of deletes, which no row count tells of: it is submitted a second time, as a row that is deleted twice is as gone as
 * before, and given up when that is forgotten too.
 * @param facts.again whether it is the second one that is forgotten
 */
export function judgeForgottenDeletes(facts: {
  readonly missedMilliseconds: number;
  readonly again: boolean;
}): "wait" | "submit-again" | "give-up" {
  if (facts.missedMilliseconds < patienceMilliseconds) return "wait";
  return facts.again ? "give-up" : "submit-again";
}

function isReported({ rows, minimumRows, reportedRows }: ForgottenImport): boolean {
  return reportedRows > 0n && reportedRows >= minimumRows && reportedRows <= rows;
}

/** Each its minimum, and what is above that to the first that can have brought it: only the sum is known. */
function shares(forgotten: readonly ForgottenImport[], aboveMinimum: bigint): Map<number, bigint> {
  let left = aboveMinimum;
  return byTask(forgotten, ({ rows, minimumRows }) => {
    let above = rows - minimumRows;
    if (above > left) above = left;
    left -= above;
    return minimumRows + above;
  });
}

function byTask(forgotten: readonly ForgottenImport[], rowsOf: (one: ForgottenImport) => bigint): Map<number, bigint> {
  return new Map(forgotten.map((one) => [one.task, rowsOf(one)]));
}

function sum(forgotten: readonly ForgottenImport[], rowsOf: (one: ForgottenImport) => bigint): bigint {
  return forgotten.reduce((total, one) => total + rowsOf(one), 0n);
}
