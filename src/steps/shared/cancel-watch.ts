import type { StepContext } from "../../ports/step-context.ts";

/** How old an answer about the cancel mark may be. */
const freshMilliseconds = 500;

/**
 * Tells whether an execution's cancel mark is there. Many segments ask at once: they share one look at the work bucket.
 * Once cancelled, always cancelled.
 */
export function cancelWatch(context: Pick<StepContext, "work" | "clock">, cancelKey: string): () => Promise<boolean> {
  let lookedAt = Number.NEGATIVE_INFINITY;
  let answer: Promise<boolean> = Promise.resolve(false);
  return () => {
    const now = context.clock.now().getTime();
    if (now - lookedAt >= freshMilliseconds) {
      lookedAt = now;
      answer = answer.then(async (cancelled) => cancelled || (await context.work.head(cancelKey)) !== undefined);
    }
    return answer;
  };
}
