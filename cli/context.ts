import type { WritableEnvironmentRegistry } from "../src/adapters/environment-registry.ts";
import type { Environment } from "../src/core/environment/environment.ts";
import type { Clock } from "../src/ports/clock.ts";
import type { Milvus } from "../src/ports/milvus.ts";
import type { ObjectStore } from "../src/ports/object-store.ts";
import type { PayloadReader } from "../src/ports/payload-reader.ts";
import type { PipelineExecutions } from "../src/ports/pipeline-executions.ts";
import type { Terminal } from "./output/terminal.ts";
import type { Pipeline } from "./pipeline/stack.ts";

/** What the verbs need from outside; wired in `connections.ts`, by hand in tests. */
export interface CliContext {
  readonly terminal: Terminal;
  readonly connections: Connections;
  readonly clock: Clock;
}

/** The outside, opened when a verb first needs it: `--help` and bad input never load an SDK. */
export interface Connections {
  /** true in a function of the pipeline: what is not reached from here is not reached by it either. */
  readonly inPipelineNetwork?: true;
  /** The pipeline a CloudFormation stack deployed; throws PipelineNotDeployed. */
  pipeline(stack: string): Promise<Pipeline>;
  executions(): Promise<PipelineExecutions>;
  environments(pipeline: Pipeline): Promise<WritableEnvironmentRegistry>;
  /** The pipeline's own work bucket. */
  workStore(pipeline: Pipeline): Promise<ObjectStore>;
  /** A bucket of an environment, with the environment's own keys. */
  openStore(environment: Environment, side: "milvus" | "backup"): Promise<ObjectStore>;
  /** What reads the payloads of binlogs on this machine. */
  payloads(): Promise<PayloadReader>;
  /** Who this command is to AWS: the ARN of a user or of a role's session; words for it where nobody says. */
  caller(): Promise<string>;
  /** Invokes a function and answers what it answers. @throws FunctionFailed with the function's own error */
  invoke(functionName: string, payload: object): Promise<unknown>;
  /** Connects to an environment's Milvus from this machine, for as long as `use` takes. */
  withMilvus<T>(environment: Environment, use: (milvus: Milvus) => Promise<T>): Promise<T>;
}
