/**
 * Work side by side of which nothing goes on behind the back of whoever tries again: `Promise.all` rejects at the first fault and leaves
 * the rest running, so that a retry meets the copies, flushes and writes of the run before.
 */

/**
 * What all of them answer, like `Promise.all`, but only once every one has come to its end.
 * @throws the fault that came first
 */
export async function settleAll<T extends readonly unknown[]>(
  running: readonly [...{ [K in keyof T]: Promise<T[K]> }],
): Promise<T> {
  const faults: { error: unknown }[] = [];
  const noteFault = (error: unknown) => void faults.push({ error });
  await Promise.all(running.map((promise) => promise.then(() => undefined, noteFault)));
  const [first] = faults;
  if (first !== undefined) throw first.error;
  return (await Promise.all(running)) as unknown as T;
}

/**
 * Work that is worth beginning before a check has come to its end: its answer counts only where the check found nothing.
 * @throws what the check throws, and only where it throws nothing what the work does; once both have come to their end
 */
export async function settleBehind<T>(check: Promise<unknown>, work: Promise<T>): Promise<T> {
  const [checked] = await Promise.allSettled([check, work]);
  if (checked.status === "rejected") throw checked.reason;
  return work;
}

/**
 * Works on each item, so many at once. After the first fault nothing more is begun, and what runs comes to its end.
 * @param items are asked for one by one, as somebody is free to work on them
 * @param work gets, beside the item, whether there was a fault meanwhile: then its answer does not matter any more
 * @returns the answers in the order of the items
 * @throws the fault that came first
 */
export async function settleEach<T, R>(
  items: Iterable<T>,
  atOnce: number,
  work: (item: T, isStopped: () => boolean) => Promise<R>,
): Promise<R[]> {
  const answers: R[] = [];
  const waiting = numbered(items);
  let stopped = false;
  const worker = async () => {
    try {
      for (const [index, item] of waiting) {
        if (stopped) return;
        answers[index] = await work(item, () => stopped);
      }
    } catch (error) {
      stopped = true;
      throw error;
    }
  };
  await settleAll(Array.from({ length: atOnce }, worker));
  return answers;
}

/**
 * Works on items as they come, so many at once, and answers in their order as it is asked: what is not asked for is not begun. However it
 * ends, what runs has come to its end.
 * @throws the fault of the first item that has one
 */
export async function* settleStream<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  atOnce: number,
  work: (item: T, index: number) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const running: Promise<R>[] = [];
  let index = 0;
  try {
    for await (const item of items) {
      const [next] = running;
      if (next && running.length >= atOnce) {
        running.shift();
        yield await next;
      }
      const begun = work(item, index);
      // Thrown when its turn comes; until then it is nobody's unhandled rejection.
      begun.catch(() => undefined);
      running.push(begun);
      index += 1;
    }
    for (let next = running.shift(); next; next = running.shift()) yield await next;
  } finally {
    await Promise.allSettled(running);
  }
}

function* numbered<T>(items: Iterable<T>): Generator<[number, T]> {
  let index = 0;
  for (const item of items) {
    yield [index, item];
    index += 1;
  }
}
