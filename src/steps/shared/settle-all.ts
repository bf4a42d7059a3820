import pLimit from "p-limit";

/**
 * Runs work side by side, so many at once. After the first fault nothing new is begun, and what runs comes to its end before the fault is
 * thrown: nothing goes on behind the back of whoever tries again.
 * @returns what each answered, in order
 * @throws the first fault
 */
export async function settleAll<T, R>(
  items: readonly T[],
  concurrency: number,
  run: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const limit = pLimit(concurrency);
  const results: R[] = [];
  const faults: unknown[] = [];
  await Promise.all(
    items.map((item, index) =>
      limit(async () => {
        if (faults.length > 0) return;
        try {
          results[index] = await run(item, index);
        } catch (error) {
          faults.push(error);
        }
      }),
    ),
  );
  if (faults.length > 0) throw faults[0];
  return results;
}
