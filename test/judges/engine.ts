import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import {
  CreateStateMachineCommand,
  DescribeExecutionCommand,
  type ExecutionStatus,
  GetExecutionHistoryCommand,
  type HistoryEvent,
  SFNClient,
  StartExecutionCommand,
} from "@aws-sdk/client-sfn";
import { execa, type ResultPromise } from "execa";
import { functionSpecs, pascalCase } from "../../infra/functions.ts";
import { definitionOf } from "../../infra/pipeline-state-machine.ts";
import { type Machine, machines } from "../../src/core/execution/machines.ts";
import { judgesPython } from "./venv.ts";

const account = "123456789012";
const region = "us-east-1";
const lambdaArn = `arn:aws:lambda:${region}:${account}:function:`;
/** What an SDK needs to speak to servers that ask for nothing. */
const anyCredentials = { AWS_ACCESS_KEY_ID: "any", AWS_SECRET_ACCESS_KEY: "any", AWS_REGION: region } as const;

/** ARN of a machine in the engine. */
export function machineArn(machine: Machine): string {
  return `arn:aws:states:${region}:${account}:stateMachine:${machine}`;
}

/** The services that the machines call. */
export interface Services {
  /**
   * Runs a function. @param name its folder
   * @throws what the function throws; a ServiceRefusal for what Lambda itself answers
   */
  invoke(name: string, event: unknown): Promise<unknown>;
  /** An object of the work bucket. */
  getObject(key: string): string | undefined;
  putEvents(entries: readonly unknown[]): void;
}

/** An answer of Lambda itself: the function did not run. */
class ServiceRefusal extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, status: number) {
    super(`${code}: refused`);
    this.code = code;
    this.status = status;
  }
}

export interface Ended {
  readonly arn: string;
  readonly status: ExecutionStatus | undefined;
  readonly output: unknown;
  readonly error: string | undefined;
  readonly cause: string | undefined;
  readonly events: readonly HistoryEvent[];
}

/** The machines in a Step Functions engine that is not the local stack's: that of moto, with somebody else's services around it. */
export class Engine {
  readonly client: SFNClient;
  /** Seconds of each wait so far, of retries and of Wait states. */
  readonly waits: { readonly wait: "retry" | "state"; readonly seconds: number }[];
  readonly endpoint: string;
  readonly #process: ResultPromise;
  readonly #server: Server;

  private constructor(process: ResultPromise, server: Server, endpoint: string, waits: Engine["waits"]) {
    this.#process = process;
    this.#server = server;
    this.endpoint = endpoint;
    this.waits = waits;
    const credentials = { accessKeyId: "any", secretAccessKey: "any" };
    this.client = new SFNClient({ endpoint, region, credentials });
  }

  /** Starts it, with every machine as it would be deployed. */
  static async start(services: Services): Promise<Engine> {
    const server = await serve(services);
    const { port } = server.address() as AddressInfo;
    const process = execa(judgesPython, [join(import.meta.dirname, "engine.py"), "0", `http://127.0.0.1:${port}`], {
      stdin: "pipe",
      buffer: false,
      reject: false,
      env: anyCredentials,
    });
    const waits: Engine["waits"] = [];
    let said = "";
    process.stderr?.on("data", (text) => {
      said = `${said}${text}`.slice(-4_000);
    });
    const lines = createInterface({ input: process.stdout });
    const first = await Promise.race([once(lines, "line"), process.then(() => undefined)]);
    if (!first) throw new Error(`the engine did not start: ${said}`);
    lines.on("line", (line) => {
      if (line.startsWith("{")) waits.push(JSON.parse(line));
    });
    const engine = new Engine(process, server, `http://127.0.0.1:${first[0]}`, waits);
    for (const machine of machines) {
      const role = `arn:aws:iam::${account}:role/${machine}`;
      await engine.client.send(
        new CreateStateMachineCommand({ name: machine, definition: filledIn(machine), roleArn: role }),
      );
    }
    return engine;
  }

  /** Starts an execution of a machine. @returns its ARN */
  async begin(machine: Machine, name: string, input: unknown): Promise<string> {
    const { executionArn = "" } = await this.client.send(
      new StartExecutionCommand({ stateMachineArn: machineArn(machine), name, input: JSON.stringify(input) }),
    );
    return executionArn;
  }

  /** Waits for the end of an execution. */
  async end(arn: string): Promise<Ended> {
    for (;;) {
      const { status, output, error, cause } = await this.client.send(
        new DescribeExecutionCommand({ executionArn: arn }),
      );
      if (status !== "RUNNING") {
        const { events = [] } = await this.client.send(new GetExecutionHistoryCommand({ executionArn: arn }));
        return { arn, status, output: output === undefined ? undefined : JSON.parse(output), error, cause, events };
      }
      await sleep(50);
    }
  }

  async run(machine: Machine, name: string, input: unknown): Promise<Ended> {
    return this.end(await this.begin(machine, name, input));
  }

  async stop(): Promise<void> {
    this.#process.stdin?.end();
    await this.#process;
    this.client.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** Bounds of the loops of imports, in events of the history: at 11 a round they let days pass. Here 3 rounds, then two legs of 2. */
const shortBounds: Readonly<Record<string, number>> = { 3300: 33, 4950: 55, 22000: 22 };

/** The definition as CloudFormation fills it in. The engine's grammar wants a fraction where the language has a number. */
function filledIn(machine: Machine): string {
  const missing = Object.keys(shortBounds).filter((bound) => !definitionOf("restore").includes(`Than": ${bound} }`));
  if (missing.length > 0) throw new Error(`the loops of restore have other bounds by now: ${missing.join(", ")}`);
  const values: Record<string, string> = {
    ...Object.fromEntries(functionSpecs.map(({ name }) => [`${pascalCase(name)}FunctionArn`, `${lambdaArn}${name}`])),
    Partition: "aws",
    WorkBucketName: "work",
    EventBusName: "default",
    StackName: "Judged",
    RestoreStateMachineArn: machineArn("restore"),
  };
  const text = definitionOf(machine)
    .replaceAll(/("ToleratedFailurePercentage": \d+)\b/g, "$1.0")
    .replaceAll(
      /("NumericLessThan": )(\d+)\b/g,
      (_, key: string, bound: string) => key + (shortBounds[bound] ?? bound),
    );
  return text.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${machine}: the engine has nothing for \${${name}}`);
    return value;
  });
}

async function serve(services: Services): Promise<Server> {
  const server = createServer((request, response) => {
    const answer = (status: number, body: string, headers: Record<string, string> = {}) =>
      response.writeHead(status, { "content-type": "application/json", ...headers }).end(body);
    handle(request, services).then(
      ({ body, headers }) => answer(200, body, headers),
      (error: unknown) =>
        error instanceof ServiceRefusal
          ? answer(error.status, JSON.stringify({ message: error.message }), { "x-amzn-errortype": error.code })
          : answer(500, JSON.stringify({ message: String(error) })),
    );
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}

async function handle(
  request: IncomingMessage,
  services: Services,
): Promise<{ body: string; headers?: Record<string, string> }> {
  const path = decodeURIComponent(request.url ?? "");
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  const invoked = /^\/2015-03-31\/functions\/.*:function:([\w-]+)[^/]*\/invocations/.exec(path)?.[1];
  if (invoked !== undefined) {
    try {
      return { body: JSON.stringify((await services.invoke(invoked, JSON.parse(body))) ?? null) };
    } catch (error) {
      if (error instanceof ServiceRefusal || !(error instanceof Error)) throw error;
      // As the runtime of Node.js answers what a handler throws.
      const { name: errorType, message: errorMessage, stack = "" } = error;
      return {
        body: JSON.stringify({ errorType, errorMessage, trace: stack.split("\n") }),
        headers: { "x-amz-function-error": "Unhandled" },
      };
    }
  }
  if (request.headers["x-amz-target"] === "AWSEvents.PutEvents") {
    const { Entries } = JSON.parse(body);
    services.putEvents(Entries);
    return { body: JSON.stringify({ FailedEntryCount: 0, Entries: Entries.map(() => ({ EventId: "1" })) }) };
  }
  const key = /^\/work\/(.*?)(\?|$)/.exec(path)?.[1];
  const text = request.method === "GET" && key !== undefined ? services.getObject(key) : undefined;
  if (text === undefined) throw new ServiceRefusal("NoSuchKey", 404);
  return { body: text, headers: { etag: '"1"' } };
}
