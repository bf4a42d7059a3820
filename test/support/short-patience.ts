import type { Patience } from "../../src/adapters/patience.ts";

/** Patience with waits of milliseconds, and what it logs. */
export function shortPatience(waits: Partial<Patience["waits"]> = {}) {
  const logged: { message: string; details?: Record<string, unknown> }[] = [];
  const log = (message: string, details?: Record<string, unknown>) => {
    logged.push({ message, ...(details === undefined ? {} : { details }) });
  };
  const patience: Patience = {
    waits: { outage: 10_000, busy: 10_000, rate: 10_000, "flush-rate": 10_000, ...waits },
    firstWait: 5,
    longestWait: 50,
    log: { info: log, warn: log },
  };
  return { patience, logged };
}
