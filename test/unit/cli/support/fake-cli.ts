import { setImmediate } from "node:timers/promises";
import type { CliContext, Connections } from "../../../../cli/context.ts";
import { main } from "../../../../cli/main.ts";
import type { Terminal } from "../../../../cli/output/terminal.ts";
import { type Pipeline, pipelineOf } from "../../../../cli/pipeline/stack.ts";
import type { WritableEnvironmentRegistry } from "../../../../src/adapters/environment-registry.ts";
import { parquetPayloads } from "../../../../src/adapters/parquet/payload-reader.ts";
import { changedSettings } from "../../../../src/core/environment/changes.ts";
import type { Environment } from "../../../../src/core/environment/environment.ts";
import { serializeEnvironment } from "../../../../src/core/environment/json.ts";
import { checkConfirmed } from "../../../../src/core/environment/protection.ts";
import { parseEnvironment } from "../../../../src/core/environment/yaml.ts";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import type { ExecutionEvent } from "../../../../src/core/report/execution.ts";
import type { Milvus } from "../../../../src/ports/milvus.ts";
import type { ExecutionDescription, MapItem, PipelineExecutions } from "../../../../src/ports/pipeline-executions.ts";
import { parseDocument } from "../../../support/documents.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";

const account = "arn:aws:states:us-east-1:000000000000:stateMachine";

export const stackOutputs = {
  BackupStateMachineArn: `${account}:backup`,
  RestoreStateMachineArn: `${account}:restore`,
  DrillStateMachineArn: `${account}:drill`,
  TransferStateMachineArn: `${account}:transfer`,
  VerifyStateMachineArn: `${account}:verify`,
  ExportStateMachineArn: `${account}:export`,
  WorkBucketName: "work",
  EnvironmentsPrefix: "milvus-backup/MilvusBackup/environments/",
};

export const yamlText = `
milvus: { address: 127.0.0.1, port: 19530, user: root, password: top-secret }
minio:
  address: 127.0.0.1
  port: 9000
  accessKeyID: key-id
  secretAccessKey: storage-secret
  bucketName: bucket-a
  rootPath: files
  backupBucketName: bucket-b
  backupRootPath: backup
`;

export function environmentNamed(name: string, text = yamlText): Environment {
  return parseEnvironment(text, { name, fileName: `${name}.yaml` });
}

/** Executions that a test scripts: each `describe` takes the next step, the last one stays. */
export class ScriptedExecutions implements PipelineExecutions {
  readonly started: { stateMachineArn: string; name: string; input: Record<string, unknown> }[] = [];
  readonly stopped: string[] = [];
  /** What describing answers, by machine; a function may change the world meanwhile. */
  script: ((execution: ExecutionDescription) => Partial<ExecutionDescription>)[] = [];
  state = "Copy Segments";
  readonly #known = new Map<string, ExecutionDescription>();

  async start({
    startedAt = new Date("2026-11-21T11:03:07Z"),
    ...request
  }: {
    stateMachineArn: string;
    name: string;
    input: object;
    startedAt?: Date;
  }): Promise<string> {
    const arn = `${request.stateMachineArn.replace(":stateMachine:", ":execution:")}:${request.name}`;
    this.started.push({ ...request, input: { ...request.input } });
    this.#known.set(arn, {
      arn,
      name: request.name,
      stateMachineArn: request.stateMachineArn,
      status: "running",
      startedAt,
      input: JSON.stringify(request.input),
    });
    return arn;
  }

  async describe(arn: string): Promise<ExecutionDescription | undefined> {
    if ((arn.split(":").at(-1) ?? "").length > 80) throw new Error("InvalidArn: Invalid Arn");
    const execution = this.#known.get(arn);
    if (execution === undefined) return undefined;
    const step = this.script.length > 1 ? this.script.shift() : this.script[0];
    const described = { ...execution, ...step?.(execution) };
    this.#known.set(arn, described);
    return described;
  }

  async currentState(): Promise<string> {
    return this.state;
  }

  async list(stateMachineArn: string): Promise<ExecutionDescription[]> {
    return [...this.#known.values()].filter((execution) => execution.stateMachineArn === stateMachineArn);
  }

  events: ExecutionEvent[] = [];
  /** Items of distributed maps, by label. */
  items = new Map<string, MapItem[]>();

  async history(arn: string): Promise<ExecutionEvent[]> {
    // Of a batch only that it ran.
    return this.#known.has(arn) ? this.events : [{ at: new Date("2026-11-21T11:03:08Z"), kind: "scheduled" }];
  }

  async mapItems(_arn: string, label: string): Promise<MapItem[]> {
    return this.items.get(label) ?? [];
  }

  async stop(arn: string): Promise<void> {
    this.stopped.push(arn);
  }
}

/** The command with everything outside it in memory. */
export class FakeCli {
  readonly executions = new ScriptedExecutions();
  readonly work = new MemoryObjectStore("work");
  backups = new MemoryObjectStore("bucket-b");
  milvusBucket = new MemoryObjectStore("bucket-a");
  readonly environments = new Map<string, Environment>();
  /** What was forgotten and can be brought back. */
  readonly forgotten = new Map<string, Environment>();
  outputs: Record<string, string> | undefined = { ...stackOutputs };
  answer: string | undefined;
  interrupt: () => void = () => {};
  /** Whether Ctrl-C would be heard instead of ending the command. */
  listening = false;
  /** What the command that runs has printed so far. */
  stdout = "";
  interactive = false;
  /** The Milvus of every environment; none answers where absent. */
  milvus: Milvus | undefined;
  env: Record<string, string> = {};
  /** What functions answer. */
  invoke: (functionName: string, payload: object) => unknown = () => {
    throw new Error("no function answers");
  };
  #time = Date.parse("2026-11-21T11:03:07Z");

  /** Runs a command line. Time passes as it is slept. */
  async run(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const written = { stdout: "", stderr: "" };
    this.stdout = "";
    const stream = (name: "stdout" | "stderr") => ({
      isTTY: this.interactive,
      columns: 200,
      write: (text: string) => {
        written[name] += text;
        this.stdout = written.stdout;
      },
    });
    const terminal: Terminal = {
      stdout: stream("stdout"),
      stderr: stream("stderr"),
      env: this.env,
      ask: async () => this.answer,
      onInterrupt: (listener) => {
        this.interrupt = listener;
        this.listening = true;
        return () => {
          this.listening = false;
        };
      },
    };
    const code = await main(argv, this.context(terminal));
    // Whatever a test is about: every document that a verb prints is as its schema says.
    if (argv.includes("--json") && !argv.includes("--detail") && written.stdout !== "") parseDocument(written.stdout);
    return { code, ...written };
  }

  /** What verbs are given. */
  context(terminal: Terminal): CliContext {
    return {
      terminal,
      connections: this.#connections(),
      clock: {
        now: () => new Date(this.#time),
        sleep: async (milliseconds) => {
          this.#time += milliseconds;
          // what is under way meanwhile comes to its end
          await setImmediate();
        },
      },
    };
  }

  #connections(): Connections {
    const { environments, forgotten } = this;
    const compare: WritableEnvironmentRegistry["compare"] = async (environment) => {
      const present = environments.get(environment.name);
      if (present === undefined) return { registered: "nothing" };
      if (serializeEnvironment(present) === serializeEnvironment(environment)) return { registered: "same" };
      return { registered: "other", changes: changedSettings(present, environment) };
    };
    return {
      pipeline: async (stack): Promise<Pipeline> => pipelineOf(stack, this.outputs),
      executions: async () => this.executions,
      workStore: async () => this.work,
      openStore: async (_environment, side) => (side === "backup" ? this.backups : this.milvusBucket),
      payloads: async () => parquetPayloads,
      caller: async () => "arn:aws:iam::111111111111:user/tester",
      invoke: async (functionName, payload) => this.invoke(functionName, payload),
      withMilvus: async (environment, use) => {
        if (this.milvus) return use(this.milvus);
        throw new PipelineError("MilvusUnreachable", `Milvus at ${environment.milvus.address} does not answer`);
      },
      environments: async () => ({
        async get(name) {
          const found = environments.get(name);
          if (found === undefined)
            throw new PipelineError("UnknownEnvironment", `environment ${name} is not registered`);
          return { ...found, version: "1" };
        },
        getVersion: async () => undefined,
        compare,
        async put(environment, { replace = false, confirm } = {}) {
          const { registered } = await compare(environment);
          if (registered === "same") return "unchanged";
          if (registered === "other" && !replace) return "refused";
          const present = environments.get(environment.name);
          if (present) checkConfirmed(present, confirm, "nothing else is registered in its place");
          environments.set(environment.name, environment);
          forgotten.delete(environment.name);
          return registered === "other" ? "updated" : "created";
        },
        list: async () => [...environments.keys()].sort(),
        delete: async (name, { confirm, force = false } = {}) => {
          const present = environments.get(name);
          checkConfirmed(present ?? { name, protected: false }, confirm, "its registration stays");
          environments.delete(name);
          forgotten.delete(name);
          if (force) return undefined;
          if (present) forgotten.set(name, present);
          return new Date(this.#time + 7 * 86_400_000);
        },
        async restore(name) {
          if (environments.has(name)) return "unchanged";
          const found = forgotten.get(name);
          if (!found) throw new PipelineError("UnknownEnvironment", `environment ${name} is not registered`);
          environments.set(name, found);
          forgotten.delete(name);
          return "restored";
        },
      }),
    };
  }
}
