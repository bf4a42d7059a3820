import * as z from "zod";
import type { Id } from "./descriptions.ts";

/**
 * Milvus's hybrid timestamps: physical milliseconds above 18 bits that count within a millisecond (Milvus's design document on its
 * time synchronisation). In decimal, never a JavaScript number: they are above 2^53.
 */
const logicalBits = 18n;

/** What a timestamp of a running Milvus lies between: 2015 and 2100. Anything else is another unit, or damage. */
const earliest = BigInt(Date.UTC(2015, 0, 1));
const latest = BigInt(Date.UTC(2100, 0, 1));

/** Whether a text is a hybrid timestamp in decimal. */
function isHybridTimestamp(text: string): boolean {
  if (!/^[1-9]\d{0,19}$/.test(text)) return false;
  const milliseconds = physicalMilliseconds(text);
  return milliseconds >= earliest && milliseconds < latest;
}

/** The physical part of a hybrid timestamp: milliseconds since 1970. */
export function physicalMilliseconds(timestamp: Id): bigint {
  return BigInt(timestamp) >> logicalBits;
}

/** The physical part as a person reads it, ISO 8601. */
function timeOf(timestamp: Id): string {
  return new Date(Number(physicalMilliseconds(timestamp))).toISOString();
}

/** The hybrid timestamp at the start of a millisecond. */
export function hybridTimestamp(milliseconds: bigint): Id {
  return (milliseconds << logicalBits).toString();
}

/**
 * The instant that a collection was cut at, T: everything acknowledged up to it is in the backup, what came later is left out when the
 * backup is restored.
 */
export const instant = z.object({
  /** Hybrid, decimal. */
  timestamp: z.string().refine(isHybridTimestamp, { error: "is no hybrid timestamp of Milvus" }),
  /** The same for people, ISO 8601. */
  time: z.iso.datetime(),
});
export type Instant = z.infer<typeof instant>;

/** What is known of the cut of one collection. */
export interface CutAt {
  readonly instant: Instant;
  /** IDs of the segments that may hold rows from after it: those that the flush sealed. */
  readonly laterRows: ReadonlySet<string>;
}

/** undefined where a server does not tell at which timestamp it flushed. */
export function instantOf(timestamp: Id): Instant | undefined {
  return isHybridTimestamp(timestamp) ? { timestamp, time: timeOf(timestamp) } : undefined;
}

/**
 * Whether a server refused an import's end for being in milliseconds (`importutilv2/option.go`, when it is asked or when the job runs). It says
 * what it was given: one that refuses a hybrid timestamp wants something else.
 */
export function wantsHybridTimestamp(reason: string): boolean {
  const refused = /end_ts is not a valid hybrid timestamp(?:, value=(\d+))?/.exec(reason);
  return refused !== null && !isHybridTimestamp(refused[1] ?? "");
}
