import type { Machine } from "../../src/core/execution/machines.ts";
import type { CliContext } from "../context.ts";
import type { Document } from "../documents/index.ts";
import type { SharedOptions } from "../options.ts";
import type { Output } from "../output/output.ts";
import { createProgressReader, type ProgressReader } from "../pipeline/progress.ts";
import type { Pipeline } from "../pipeline/stack.ts";
import type { VerbRun } from "../verbs/verb.ts";

/** What a verb said, in place of printing it. */
export interface Said {
  readonly exitCode: number | undefined;
  readonly document: Document | undefined;
  readonly text: string;
}

/** What the REST API is made of: the verbs, the pipeline, and nothing that a restart would lose. */
export interface Api {
  readonly context: CliContext;
  readonly shared: SharedOptions;
  /** A line for whoever runs the server. */
  readonly log: (line: string) => void;
  readonly warn: (line: string) => void;
  pipeline(): Promise<Pipeline>;
  /** Runs a verb's action; what it says comes back, its warnings go to `warn`. */
  call<Options>(action: VerbAction<Options>, options: Options, limits?: CallLimits): Promise<Said>;
  /** Reads the progress of an execution; each reads its files once. */
  progressOf(machine: Machine, execution: string): ProgressReader;
  /** When this server started which execution, by its ARN: Step Functions may take a moment until it tells of it. */
  readonly started: Map<string, { readonly at: Date; readonly backupName: string }>;
  /** ARN of the execution that this server started last for a backup, by its name, for the same reason. */
  readonly newestOf: Map<string, string>;
}

/** As `VerbRun` has them. */
type CallLimits = Pick<VerbRun<unknown>, "executionName" | "until">;

type VerbAction<Options> = (run: VerbRun<Options>) => Promise<number | undefined> | Promise<void>;

/** Caches only: whatever is forgotten is looked for again. */
const remembered = 1_000;

export function createApi(options: {
  readonly context: CliContext;
  readonly shared: SharedOptions;
  readonly output: Pick<Output, "note" | "warn">;
}): Api {
  const { context, output } = options;
  // what a verb tells of its config was told when the server started
  const shared = { ...options.shared, quiet: true };
  const readers = new BoundedMap<string, ProgressReader>(remembered);
  let pipeline: Promise<Pipeline> | undefined;
  const api: Api = {
    context,
    shared,
    log: (line) => output.note(line),
    warn: (line) => output.warn(line),
    pipeline() {
      pipeline ??= context.connections.pipeline(shared.stack).catch((error: unknown) => {
        pipeline = undefined;
        throw error;
      });
      return pipeline;
    },
    async call(action, verbOptions, limits) {
      const said: { document?: Document; text: string } = { text: "" };
      const exitCode = await action({
        options: verbOptions,
        arguments: [],
        shared,
        output: recorder(said, output),
        context,
        ...limits,
      });
      return { exitCode: exitCode ?? undefined, document: said.document, text: said.text };
    },
    progressOf(machine, execution) {
      const key = `${machine}/${execution}`;
      const known = readers.get(key);
      if (known) return known;
      const work = async () => context.connections.workStore(await api.pipeline());
      const reader = createProgressReader(work, machine, execution);
      readers.set(key, reader);
      return reader;
    },
    started: new BoundedMap(remembered),
    newestOf: new BoundedMap(remembered),
  };
  return api;
}

/** Keeps what a verb says. */
function recorder(said: { document?: Document; text: string }, output: Pick<Output, "warn">): Output {
  return {
    json: false,
    quiet: true,
    interactive: false,
    result(document, text) {
      said.document = document;
      said.text = text;
    },
    record() {},
    note() {},
    warn: (text) => output.warn(text),
    style: (_, text) => text,
  };
}

/** Forgets what was put in first. */
class BoundedMap<K, V> extends Map<K, V> {
  readonly #limit: number;

  constructor(limit: number) {
    super();
    this.#limit = limit;
  }

  override set(key: K, value: V): this {
    this.delete(key);
    super.set(key, value);
    const [first] = this.size > this.#limit ? this.keys() : [];
    if (first !== undefined) this.delete(first);
    return this;
  }
}
