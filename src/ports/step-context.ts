import type { Environment } from "../core/environment/environment.ts";
import type { StoreRef } from "../core/execution/copy-plan.ts";
import type { Clock } from "./clock.ts";
import type { Milvus } from "./milvus.ts";
import type { ObjectStore } from "./object-store.ts";

/** What every step gets from outside; wired in one place (`functions/shared`), by hand in tests. No Milvus: most steps move objects. */
export interface StepContext {
  /** The pipeline's own work bucket: plans, batches, receipts, leases, readers. */
  readonly work: ObjectStore;
  readonly environments: EnvironmentRegistry;
  /** Opens a bucket of an environment; connections are reused within an invocation and between warm ones. */
  openStore(ref: StoreRef): Promise<ObjectStore>;
  readonly executions: Executions;
  readonly clock: Clock;
  readonly log: StepLog;
}

/** What a step gets that talks to Milvus too. */
export interface MilvusContext extends StepContext {
  /**
   * Connects to an environment's Milvus.
   * @throws MilvusUnreachable or MilvusUnauthenticated with the address
   */
  connectMilvus(environment: Environment): Promise<Milvus>;
}

export interface EnvironmentRegistry {
  /** Throws UnknownEnvironment, naming the registered ones, and InvalidEnvironment. */
  get(name: string): Promise<Environment>;
}

/** `over`: it ended, or is forgotten (90 days); `unknown`: who asks may not look at it, or it is of another account or region. */
export type ExecutionState = "running" | "over" | "unknown";

export interface Executions {
  state(executionArn: string): Promise<ExecutionState>;
}

export interface StepLog {
  info(message: string, details?: Record<string, unknown>): void;
  warn(message: string, details?: Record<string, unknown>): void;
}
