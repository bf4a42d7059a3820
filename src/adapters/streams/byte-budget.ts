/** Bytes that may be held in memory at once; callers wait in the order in which they asked. */
interface ByteBudget {
  /** Runs a task once `bytes` are free. A task larger than the whole budget runs alone. */
  run<T>(bytes: number, task: () => Promise<T>): Promise<T>;
}

export function byteBudget(limit: number): ByteBudget {
  const waiting: { bytes: number; start: () => void }[] = [];
  let free = limit;

  function startWhatFits(): void {
    for (let next = waiting[0]; next !== undefined && next.bytes <= free; next = waiting[0]) {
      waiting.shift();
      free -= next.bytes;
      next.start();
    }
  }

  return {
    async run(bytes, task) {
      const held = Math.min(bytes, limit);
      await new Promise<void>((start) => {
        waiting.push({ bytes: held, start });
        startWhatFits();
      });
      try {
        return await task();
      } finally {
        free += held;
        startWhatFits();
      }
    },
  };
}
