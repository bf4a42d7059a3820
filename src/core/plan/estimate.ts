import { batchLimits, isCopied } from "../execution/copy-plan.ts";
import type { SizedSegment } from "./segment-copies.ts";

/**
 * What work costs and how long it takes, computed before anything is done: docs/scale.md has the formulas in words. Nothing here was measured on
 * AWS; another region, and traffic out of one, come on top.
 */

/** List prices in dollars, from the price pages of S3, Lambda (ARM) and Step Functions. */
export const prices = {
  region: "us-east-1",
  /** When they were looked up. */
  date: "2026-11",
  /** COPY, PUT, POST or LIST, a thousand. */
  thousandWrites: 0.005,
  /** GET, HEAD and others, a thousand. */
  thousandReads: 0.0004,
  lambdaGbSecond: 0.0000133334,
  thousandTransitions: 0.025,
  /** S3 Standard, the first 50 TB, a month. */
  storageGbMonth: 0.023,
} as const;

/** What one Copy Segments does, and what AWS lets all of them do. */
export const rates = {
  /** Streamed through one Lambda; measured on the local stack (docs/performance.md), what AWS gives a function of that size. */
  bytesPerSecond: 50e6,
  /** The same where rows are read: what was fetched is decoded, at 100 MB/s and more on one core of a 2-core machine. */
  rowBytesPerSecond: 40e6,
  /** Requests of one Lambda a second, many small objects at once. */
  objectsPerSecond: 100,
  /** Memory of Copy Segments, which gives it one vCPU. */
  lambdaGb: 1.77,
  /** Memory of Read Rows. */
  rowLambdaGb: 2.94,
  /** COPY, PUT, POST and DELETE a second that S3 takes in one partition of a prefix; it makes more partitions where that lasts. */
  writesPerSecondOfPartition: 3_500,
  /** Invocations at once that a function may gain in ten seconds. */
  rampOfTenSeconds: 1_000,
  /** `maxConcurrency` of pipeline.yaml, by default. */
  batchesAtOnce: 16,
  transitions: { execution: 10, batch: 3 },
} as const;

/** Objects of more bytes are copied in parts. */
const multipartThreshold = 500 * 2 ** 20;
const partBytes = 128 * 2 ** 20;

export interface ReadingCost {
  /** How many objects, and bytes, are read. */
  readonly objects: number;
  readonly bytes: number;
  readonly minutes: number;
  readonly dollars: number;
}

/**
 * What reading objects of a backup by content costs.
 * @param backup all logs of it
 * @param share how much of its bytes is read and compared, and of its rows, of 100 each; both are read once more
 */
export function readingCost(
  backup: { readonly objects: number; readonly bytes: number },
  { percent = 0, rows = 0 }: { readonly percent?: number | undefined; readonly rows?: number | undefined },
): ReadingCost {
  const shareOf = (whole: number, of: number) => Math.ceil((whole * of) / 100);
  const [bytes, rowBytes] = [shareOf(backup.bytes, percent), shareOf(backup.bytes, rows)];
  const [objects, rowObjects] = [shareOf(backup.objects, percent), shareOf(backup.objects, rows)];
  const batches = Math.max(1, Math.ceil(backup.bytes / batchLimits.bytes));
  // what is not read is looked at with one request
  const seconds = bytes / rates.bytesPerSecond + backup.objects / rates.objectsPerSecond;
  const rowSeconds = rowBytes / rates.rowBytesPerSecond + rowObjects / rates.objectsPerSecond;
  const dollars =
    lambdaDollars(seconds) +
    lambdaDollars(rowSeconds, rates.rowLambdaGb) +
    ((backup.objects + rowObjects) * prices.thousandReads) / 1_000 +
    listDollars(backup.objects) +
    transitionDollars(batches);
  const minutes = (seconds + rowSeconds) / Math.min(rates.batchesAtOnce, batches) / 60;
  return { objects: objects + rowObjects, bytes: bytes + rowBytes, minutes, dollars };
}

/** What is to be copied. */
export interface CopyLoad {
  readonly segments: number;
  readonly objects: number;
  readonly bytes: number;
  /** Requests more than one an object, of those that are copied in parts (`requestsInParts`). */
  readonly partRequests: number;
}

export interface CopyConditions {
  /** Through Lambdas, instead of by the store itself. */
  readonly streamed: boolean;
  /** `maxConcurrency` of the deployment; the default where absent. */
  readonly batchesAtOnce?: number;
  /** How many partitions S3 has made of the destination's prefix: one of a new prefix. */
  readonly partitions?: number;
}

export interface CopyEstimate {
  readonly batches: number;
  /** Of S3: copies and their parts, listings, and a look at each object. */
  readonly requests: number;
  /** Of copying; Milvus's flush, and the first and last step, come on top. */
  readonly minutes: number;
  readonly dollars: number;
  /** For keeping it in S3 Standard. */
  readonly dollarsAMonth: number;
}

/**
 * Requests that an object takes besides one of its own: nothing, or a start, an end and its parts.
 * @param size in bytes
 */
export function requestsInParts(size: number): number {
  return size > multipartThreshold ? 1 + Math.ceil(size / partBytes) : 0;
}

/** Adds up the copies of a plan: those that keep their objects, and those of small segments whose logs are put together. */
export class CopyLoads {
  readonly #kept = { segments: 0, objects: 0, bytes: 0, partRequests: 0 };
  readonly #merged = { segments: 0, objects: 0, bytes: 0, partRequests: 0 };

  /** Counts nothing of what stays where it is. */
  add({ segment, merge }: Pick<SizedSegment, "segment" | "merge">): void {
    const logs = segment.prefixes.filter(isCopied).flatMap(({ expect = [] }) => expect);
    if (logs.length === 0) return;
    const load = merge ? this.#merged : this.#kept;
    load.segments += 1;
    load.objects += logs.length;
    for (const { size } of logs) {
      load.bytes += size;
      load.partRequests += requestsInParts(size);
    }
  }

  /** @param streamed whether what keeps its objects passes through Lambdas, too: what is put together always does */
  cost(streamed: boolean): CopyEstimate & CopyLoad & { readonly copies: "in-place" | "server-side" | "streamed" } {
    const [kept, merged] = [copyingCost(this.#kept, { streamed }), copyingCost(this.#merged, { streamed: true })];
    const isMerged = this.#merged.objects > 0;
    const isKept = this.#kept.objects > 0;
    const add = <K extends string>(
      keys: readonly K[],
      one: Readonly<Record<K, number>>,
      other: Readonly<Record<K, number>>,
    ) => Object.fromEntries(keys.map((key) => [key, one[key] + (isMerged ? other[key] : 0)])) as Record<K, number>;
    return {
      ...add(["segments", "objects", "bytes", "partRequests"], this.#kept, this.#merged),
      ...add(["batches", "requests", "minutes", "dollars", "dollarsAMonth"], kept, merged),
      copies: isMerged || (isKept && streamed) ? "streamed" : isKept ? "server-side" : "in-place",
    };
  }
}

/** What copying costs, and how long it takes at least: as long as the slowest of the Lambdas, the map and S3 takes. */
export function copyingCost(load: CopyLoad, conditions: CopyConditions): CopyEstimate {
  const { segments, objects, bytes, partRequests } = load;
  const { streamed, batchesAtOnce = rates.batchesAtOnce, partitions = 1 } = conditions;
  const batches = Math.max(Math.ceil(segments / batchLimits.segments), Math.ceil(bytes / batchLimits.bytes));
  const writes = objects + partRequests;
  // A streamed object is read in ranges of a part each.
  const reads = objects + (streamed ? writes : 0);
  const lambdaSeconds = writes / rates.objectsPerSecond + (streamed ? bytes / rates.bytesPerSecond : 0);
  const atOnce = Math.max(1, Math.min(batchesAtOnce, batches));
  const seconds = Math.max(lambdaSeconds / atOnce, writes / (rates.writesPerSecondOfPartition * partitions));
  const ramp = 10 * Math.floor(atOnce / rates.rampOfTenSeconds);
  return {
    batches,
    requests: writes + reads + 2 * Math.ceil(objects / 1_000),
    minutes: (seconds + ramp) / 60,
    dollars:
      lambdaDollars(lambdaSeconds) +
      (writes * prices.thousandWrites + reads * prices.thousandReads) / 1_000 +
      listDollars(objects) +
      transitionDollars(batches),
    dollarsAMonth: (bytes / 1e9) * prices.storageGbMonth,
  };
}

function lambdaDollars(seconds: number, gigabytes: number = rates.lambdaGb): number {
  return seconds * gigabytes * prices.lambdaGbSecond;
}

/** A listing shows a thousand objects; each object is listed twice. */
function listDollars(objects: number): number {
  return (2 * objects * prices.thousandWrites) / 1_000 / 1_000;
}

function transitionDollars(batches: number): number {
  const { execution, batch } = rates.transitions;
  return ((execution + batch * batches) * prices.thousandTransitions) / 1_000;
}
