/** Memory that is lent out, a bounded amount at once; callers wait in the order in which they asked. */
interface ByteBudget {
  /**
   * Runs a task once `bytes` are free. A task larger than the whole budget runs alone.
   * @param task gets memory of that size with something in it; when it has settled, the next one may get the same
   */
  run<T>(bytes: number, task: (memory: Buffer) => Promise<T>): Promise<T>;
}

/** Smaller pieces come and go with the young generation, and cost less than looking for one. */
const smallestKept = 256 * 2 ** 10;

/**
 * Memory of large objects is used again: what is allocated anew for each is given back only when garbage is collected, and several
 * times the limit is held until then.
 * @param limit bytes
 */
export function byteBudget(limit: number): ByteBudget {
  const waiting: { bytes: number; start: () => void }[] = [];
  let free = limit;
  /** Not lent at the moment, smallest first; with what is lent no more than the limit. */
  const kept: Buffer[] = [];
  let allocated = 0;

  function startWhatFits(): void {
    for (let next = waiting[0]; next !== undefined && next.bytes <= free; next = waiting[0]) {
      waiting.shift();
      free -= next.bytes;
      next.start();
    }
  }

  function lend(bytes: number): Buffer {
    const index = kept.findIndex(({ length }) => length >= bytes);
    const [fitting] = index < 0 ? [] : kept.splice(index, 1);
    if (fitting !== undefined) return fitting;
    while (allocated + bytes > limit && kept.length > 0) allocated -= kept.pop()?.length ?? 0;
    allocated += bytes;
    return Buffer.allocUnsafeSlow(bytes);
  }

  function takeBack(memory: Buffer): void {
    const after = kept.findIndex(({ length }) => length > memory.length);
    if (allocated > limit) allocated -= memory.length;
    else kept.splice(after < 0 ? kept.length : after, 0, memory);
  }

  return {
    async run(bytes, task) {
      const held = Math.min(bytes, limit);
      await new Promise<void>((start) => {
        waiting.push({ bytes: held, start });
        startWhatFits();
      });
      const isKept = bytes >= smallestKept;
      const memory = isKept ? lend(bytes) : Buffer.allocUnsafe(bytes);
      try {
        return await task(memory.subarray(0, bytes));
      } finally {
        if (isKept) takeBack(memory);
        free += held;
        startWhatFits();
      }
    },
  };
}
