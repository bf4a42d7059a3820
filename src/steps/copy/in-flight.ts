import pLimit from "p-limit";

/** How much of a batch is in flight at once. */
export interface Pace {
  /** Objects below 8 MiB. */
  readonly smallObjects: number;
  readonly largeObjects: number;
  readonly segments: number;
  /** Logs of fields that are put together side by side. Each is held in memory, and all of a batch are no more than a merge may have. */
  readonly fields: number;
  /** Small objects that are read to be put together: nothing is written for each, and the store slows down who asks for too much. */
  readonly mergedObjects: number;
}

/** Small objects are bound by the time of a request, large ones by the store's throughput: more at once makes those slower. */
const smallObjectBytes = 8 * 2 ** 20;

export const usualPace: Pace = {
  smallObjects: 32,
  largeObjects: 8,
  /** Enough to keep the objects' slots filled, few enough that a cancel mark is seen soon. */
  segments: 16,
  fields: 8,
  mergedObjects: 64,
};

/** Of a batch whose function was killed, or did not end: an eighth of what it held in memory. */
export const gentlePace: Pace = { smallObjects: 4, largeObjects: 1, segments: 2, fields: 1, mergedObjects: 4 };

/** The slots of objects in flight that a batch has: runs work on an object of that size when there is one. */
export function objectSlots({
  smallObjects,
  largeObjects,
}: Pace): <T>(size: number, work: () => Promise<T>) => Promise<T> {
  const small = pLimit(smallObjects);
  const large = pLimit(largeObjects);
  return (size, work) => (size < smallObjectBytes ? small : large)(work);
}
