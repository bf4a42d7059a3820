import pLimit from "p-limit";

/** Small objects are bound by the time of a request, large ones by the store's throughput: more at once makes those slower. */
const smallObjectBytes = 8 * 2 ** 20;
const smallObjectsInFlight = 32;
const largeObjectsInFlight = 8;
/** Enough to keep the objects' slots filled, few enough that a cancel mark is seen soon. */
export const segmentsInFlight = 16;

/** The slots of objects in flight that a batch has: runs work on an object of that size when there is one. */
export function objectSlots(): <T>(size: number, work: () => Promise<T>) => Promise<T> {
  const small = pLimit(smallObjectsInFlight);
  const large = pLimit(largeObjectsInFlight);
  return (size, work) => (size < smallObjectBytes ? small : large)(work);
}
