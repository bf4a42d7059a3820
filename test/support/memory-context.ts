import type { StoreRef } from "../../src/core/execution/copy-plan.ts";
import { PipelineError } from "../../src/core/execution/errors.ts";
import { MemoryObjectStore, type MemoryStoreOptions } from "./memory-object-store.ts";

/** What the steps that only touch object stores need, in memory: stores by reference, a clock that is set by hand, a log. */
export function memoryContext() {
  const work = new MemoryObjectStore("work");
  const stores = new Map<string, MemoryObjectStore>();
  const running = new Set<string>();
  const unknown = new Set<string>();
  const logged: { level: "info" | "warn"; message: string; details?: Record<string, unknown> }[] = [];
  let now = new Date("2026-11-21T11:03:07Z");
  const name = (ref: StoreRef) => `${ref.environment}/${ref.side}`;
  return {
    work,
    allowed: {},
    running,
    /** Executions that may not be looked at. */
    unknown,
    logged,
    /** The store behind a reference, made on first use; with Object Lock where `options` says so. */
    store(ref: StoreRef, options: MemoryStoreOptions = {}): MemoryObjectStore {
      const store = stores.get(name(ref)) ?? new MemoryObjectStore(name(ref), options);
      stores.set(name(ref), store);
      return store;
    },
    async openStore(ref: StoreRef): Promise<MemoryObjectStore> {
      const store = stores.get(name(ref));
      if (store === undefined) {
        throw new PipelineError("UnknownEnvironment", `environment ${ref.environment} is not registered`);
      }
      return store;
    },
    executions: {
      state: async (executionArn: string) => {
        if (unknown.has(executionArn)) return "unknown" as const;
        return running.has(executionArn) ? ("running" as const) : ("over" as const);
      },
    },
    clock: {
      now: () => now,
      sleep: async (milliseconds: number) => {
        now = new Date(now.getTime() + milliseconds);
      },
    },
    log: {
      info(message: string, details?: Record<string, unknown>) {
        logged.push({ level: "info", message, ...(details === undefined ? {} : { details }) });
      },
      warn(message: string, details?: Record<string, unknown>) {
        logged.push({ level: "warn", message, ...(details === undefined ? {} : { details }) });
      },
    },
  };
}
