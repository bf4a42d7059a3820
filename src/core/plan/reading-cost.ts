import { batchLimits } from "../execution/copy-plan.ts";

/**
 * What reading objects of a backup by content costs: list prices of AWS (us-east-1) and the throughput of one Lambda that streams, as the
 * README has them. Computed, not measured on AWS; another region, and traffic out of one, come on top.
 */
const rates = {
  bytesPerSecond: 50e6,
  /** The same where rows are read: decoding takes longer. Measured on one core, with vectors of 128 dimensions. */
  rowBytesPerSecond: 40e6,
  /** Requests of one Lambda a second, many small objects at once. */
  objectsPerSecond: 100,
  /** Copy Segments: 1.77 GB at the price of a GB-second on ARM. */
  dollarsPerLambdaSecond: 1.77 * 0.0000133334,
  dollarsPerGet: 0.0004 / 1_000,
  /** Read Rows: 3 GB. */
  dollarsPerRowSecond: 2.94 * 0.0000133334,
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
    seconds * rates.dollarsPerLambdaSecond +
    rowSeconds * rates.dollarsPerRowSecond +
    (backup.objects + rowObjects) * rates.dollarsPerGet +
    backup.objects * rates.dollarsPerListedObject +
    (rates.transitions.execution + rates.transitions.batch * batches) * rates.dollarsPerTransition;
  const minutes = (seconds + rowSeconds) / Math.min(rates.batchesAtOnce, batches) / 60;
  return { objects: objects + rowObjects, bytes: bytes + rowBytes, minutes, dollars };
}
