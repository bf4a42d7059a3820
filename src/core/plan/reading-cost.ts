import { batchLimits } from "../execution/copy-plan.ts";

/**
 * What reading objects of a backup by content costs: list prices of AWS (us-east-1) and the throughput of one Lambda that streams, as the
 * README has them. Computed, not measured on AWS; another region, and traffic out of one, come on top.
 */
const rates = {
  bytesPerSecond: 50e6,
  /** Requests of one Lambda a second, many small objects at once. */
  objectsPerSecond: 100,
  /** Copy Segments: 1.77 GB at the price of a GB-second on ARM. */
  dollarsPerLambdaSecond: 1.77 * 0.0000133334,
  dollarsPerGet: 0.0004 / 1_000,
  /** A listing of a thousand objects; each object is listed twice. */
  dollarsPerListedObject: (2 * 0.005) / 1_000 / 1_000,
  dollarsPerTransition: 0.025 / 1_000,
  transitions: { execution: 10, batch: 3 },
  /** `MaxConcurrency` of the map. */
  batchesAtOnce: 16,
} as const;

export interface ReadingCost {
  /** How many objects, and bytes, are read. */
  readonly objects: number;
  readonly bytes: number;
  readonly minutes: number;
  readonly dollars: number;
}

/**
 * @param backup all logs of it
 * @param percent how much of its bytes is read, of 100
 */
export function readingCost(
  backup: { readonly objects: number; readonly bytes: number },
  percent: number,
): ReadingCost {
  const objects = Math.ceil((backup.objects * percent) / 100);
  const bytes = Math.ceil((backup.bytes * percent) / 100);
  const batches = Math.max(1, Math.ceil(backup.bytes / batchLimits.bytes));
  // what is not read is looked at with one request
  const seconds = bytes / rates.bytesPerSecond + backup.objects / rates.objectsPerSecond;
  const dollars =
    seconds * rates.dollarsPerLambdaSecond +
    backup.objects * (rates.dollarsPerGet + rates.dollarsPerListedObject) +
    (rates.transitions.execution + rates.transitions.batch * batches) * rates.dollarsPerTransition;
  return { objects, bytes, minutes: seconds / Math.min(rates.batchesAtOnce, batches) / 60, dollars };
}
