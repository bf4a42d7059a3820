import type { AllowedEnvironments } from "../core/deployment/allowed-environments.ts";
import type { Environment, EnvironmentPin, RegisteredEnvironment } from "../core/environment/environment.ts";
import type { StoreRef } from "../core/execution/copy-plan.ts";
import type { Clock } from "./clock.ts";
import type { GarbageCollection } from "./garbage-collection.ts";
import type { Milvus } from "./milvus.ts";
import type { ObjectStore } from "./object-store.ts";

/** What every step gets from outside; wired in one place (`functions/shared`), by hand in tests. No Milvus: most steps move objects. */
export interface StepContext {
  /** The pipeline's own work bucket: plans, batches, receipts, readers. */
  readonly work: ObjectStore;
  readonly environments: EnvironmentRegistry;
  /** Which of them executions may name, and for what. */
  readonly allowed: AllowedEnvironments;
  /**
   * Opens a bucket of an environment; connections are reused within an invocation and between warm ones.
   * @param options.earlier true: the registration that the reference names, although another one took its place; for Release alone
   * @throws UnknownEnvironment, InvalidEnvironment, and EnvironmentChanged where the reference names an earlier registration
   */
  openStore(ref: StoreRef, options?: { readonly earlier?: boolean }): Promise<ObjectStore>;
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
  /** The garbage collection of an environment's Milvus, which is reached another way: also where Milvus itself does not answer. */
  garbageCollection(environment: Environment): GarbageCollection;
}

export interface EnvironmentRegistry {
  /**
   * What is registered under a name now. Steps of a machine ask through `pinnedEnvironment` (steps/shared), never themselves.
   * @param pin what it has to be still; a later registration of the same content is as good
   * @throws UnknownEnvironment, naming the registered ones; InvalidEnvironment; with a pin EnvironmentChanged, naming what changed
   */
  get(name: string, pin?: EnvironmentPin): Promise<RegisteredEnvironment>;
  /** What was registered under a name earlier; undefined where that is kept no more. @throws InvalidEnvironment */
  getVersion(name: string, version: string): Promise<RegisteredEnvironment | undefined>;
}

/** `over`: it ended, or is forgotten (90 days); `unknown`: who asks may not look at it, or it is of another account or region. */
type ExecutionState = "running" | "over" | "unknown";

export interface Executions {
  state(executionArn: string): Promise<ExecutionState>;
}

export interface StepLog {
  info(message: string, details?: Record<string, unknown>): void;
  warn(message: string, details?: Record<string, unknown>): void;
}
