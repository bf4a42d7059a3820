import type { Write } from "./write-log.ts";

/** A row of a restored collection; a key that is there twice is two of them. */
export interface VersionRow {
  /** The primary key, as decimal text. */
  readonly key: string;
  readonly version: number;
}

/** When the instant of a backup was, in milliseconds since 1970: both ends are the same where the backup tells it. */
export interface InstantBounds {
  readonly earliest: number;
  readonly latest: number;
}

/** What can be wrong with a key of a restored collection. */
export type Violation = "missing" | "twice" | "too old" | "too new" | "never written";

interface KeyViolation {
  readonly key: string;
  readonly violation: Violation;
  /** Its versions in the restored collection. */
  readonly found: readonly number[];
  /** The lowest and the highest version that were right; the lowest is absent where the key need not be there. */
  readonly right: readonly [number | undefined, number | undefined];
}

/** What a restored collection came to. */
export interface Verdict {
  /** Keys that had been acknowledged {@link graceMs} before the instant. */
  readonly expected: number;
  /** Of those: keys that are there, in whatever version. */
  readonly back: number;
  /** At most one of each kind a key; in the order of the keys. */
  readonly violations: readonly KeyViolation[];
}

/**
 * Milliseconds. What was acknowledged so long before the instant is in the backup; younger writes may be in it or not: the cut is
 * made at the start of a millisecond of Milvus's clock, which moves in steps.
 */
export const graceMs = 100;
/** Milliseconds by which Milvus's clock is behind this machine's at most: it moves in steps of so many (2.3.5: measured). */
const clockStepMs = 50;
/** A hybrid timestamp counts within a millisecond in its lowest bits. */
const logicalBits = 18n;

/** The instant of a backup that tells it. @param timestamp a hybrid timestamp of Milvus, as decimal text */
export function atTimestamp(timestamp: string): InstantBounds {
  const physical = Number(BigInt(timestamp) >> logicalBits);
  return { earliest: physical, latest: physical };
}

/**
 * Judges whether rows are a collection as it was at an instant: each key that had been acknowledged {@link graceMs} before is there,
 * once, in a version that was current: sent before the instant, and not followed by one that had been acknowledged {@link graceMs} before.
 * @param writes all writes of the collection, in the order in which they were sent, one after the other
 * @param rows all rows of the restored collection, in any order
 */
export function judgeInstant(
  writes: readonly Write[],
  { earliest, latest }: InstantBounds,
  rows: readonly VersionRow[],
): Verdict {
  const written = writesByKey(writes);
  const found = Map.groupBy(rows, ({ key }) => key);
  const violations: KeyViolation[] = [];
  let expected = 0;
  let back = 0;
  for (const key of [...new Set([...written.keys(), ...found.keys()])].sort(byNumber)) {
    const ofKey = written.get(key) ?? [];
    const versions = (found.get(key) ?? []).map(({ version }) => version);
    const lowest = ofKey.findLast(({ acknowledged = Infinity }) => acknowledged <= earliest - graceMs)?.version;
    const highest = ofKey.findLast(({ sent }) => sent < latest + clockStepMs)?.version;
    if (lowest !== undefined) expected += 1;
    if (lowest !== undefined && versions.length > 0) back += 1;
    const wrong = new Set<Violation>();
    if (lowest !== undefined && versions.length === 0) wrong.add("missing");
    if (versions.length > 1) wrong.add("twice");
    for (const version of versions) {
      if (!ofKey.some((write) => write.version === version)) wrong.add("never written");
      else if (highest === undefined || version > highest) wrong.add("too new");
      else if (lowest !== undefined && version < lowest) wrong.add("too old");
    }
    for (const violation of wrong) violations.push({ key, violation, found: versions, right: [lowest, highest] });
  }
  return { expected, back, violations };
}

function writesByKey(writes: readonly Write[]): Map<string, Write[]> {
  const byKey = new Map<string, Write[]>();
  for (const write of writes) {
    for (const key of write.keys) {
      const ofKey = byKey.get(key);
      if (ofKey) ofKey.push(write);
      else byKey.set(key, [write]);
    }
  }
  return byKey;
}

function byNumber(one: string, other: string): number {
  const difference = BigInt(one) - BigInt(other);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}
