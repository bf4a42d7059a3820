import pRetry from "p-retry";
import type { StepLog } from "../ports/step-context.ts";

/**
 * Why a call is worth waiting for:
 * - outage: who has answered before does not any more, or says that it is starting: a restart takes a minute or two
 * - busy: it answers that it has too much to do, or that what it was asked for is just changing
 * - rate: it limits how often a call may be made, and has not begun with this one
 * - flush-rate: the same for Flush, of which Milvus lets one through in 10 s for each collection (quotaAndLimits.flushRate)
 */
export type WaitReason = "outage" | "busy" | "rate" | "flush-rate";

/** How long faults that pass are waited for on the spot, before they are thrown for the machine to retry the whole step. */
export interface Patience {
  /** Milliseconds from the first fault of a call on, by the latest reason. */
  readonly waits: Readonly<Record<WaitReason, number>>;
  /** Milliseconds; each wait doubles, with jitter, up to the longest. */
  readonly firstWait: number;
  readonly longestWait: number;
  readonly log: StepLog;
}

/** What suits a function that may run for 15 minutes. */
export function functionPatience(log: StepLog): Patience {
  return {
    waits: { outage: 150_000, busy: 30_000, rate: 30_000, "flush-rate": 120_000 },
    firstWait: 500,
    longestWait: 10_000,
    log,
  };
}

/**
 * Makes a call, again while it fails for a reason that is worth waiting for. What had to be waited for is logged, once when it begins
 * and once, with a count, when it is over.
 * @param patience undefined: whatever fails is thrown at once
 * @param what for the log: `Flush at milvus.test:19530`
 * @param reasonOf undefined for a fault that is thrown at once
 * @throws the last fault of the call
 */
export async function patiently<T>(
  patience: Patience | undefined,
  what: string,
  call: () => Promise<T>,
  reasonOf: (error: unknown) => WaitReason | undefined,
): Promise<T> {
  if (patience === undefined) return call();
  let since = 0;
  let waits = 0;
  const answer = await pRetry(call, {
    retries: Number.POSITIVE_INFINITY,
    minTimeout: patience.firstWait,
    maxTimeout: patience.longestWait,
    randomize: true,
    shouldRetry: ({ error }) => {
      if (waits === 0) since = performance.now();
      const reason = reasonOf(error);
      if (reason === undefined || performance.now() - since > patience.waits[reason]) return false;
      if (waits === 0) patience.log.warn("waiting", { for: what, reason, because: error.message });
      waits += 1;
      return true;
    },
  });
  if (waits > 0) {
    const seconds = Math.round((performance.now() - since) / 1000);
    patience.log.info("waited", { for: what, waits, seconds });
  }
  return answer;
}
