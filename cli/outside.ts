import type { SFNClientConfig } from "@aws-sdk/client-sfn";
import type { WritableEnvironmentRegistry } from "../src/adapters/environment-registry.ts";
import { jsonOrUndefined } from "../src/core/execution/work-json.ts";
import type { PipelineExecutions } from "../src/ports/pipeline-executions.ts";
import type { Connections } from "./context.ts";
import { CliError } from "./errors.ts";
import { explainAwsError } from "./pipeline/aws-errors.ts";
import type { Pipeline } from "./pipeline/stack.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** What clients of AWS's services have in common. */
type ClientConfig = Pick<SFNClientConfig, "requestHandler" | "maxAttempts">;

/**
 * What the verbs reach wherever they run. Every SDK is imported when it is first needed; every AWS error is told in the command's own words.
 * @param config of the clients of Step Functions and Secrets Manager
 */
export function createOutside(env: Environment, config: ClientConfig = {}): Omit<Connections, "pipeline" | "payloads"> {
  let executions: Promise<PipelineExecutions> | undefined;
  let registry: Promise<WritableEnvironmentRegistry> | undefined;
  let milvusUsers = 0;
  return {
    executions() {
      executions ??= openExecutions(env, config);
      return executions;
    },
    environments(pipeline) {
      registry ??= openRegistry(env, pipeline, config);
      return registry;
    },
    async workStore({ workBucket }) {
      const { openWorkStore } = await import("../src/adapters/store-opener.ts");
      return openWorkStore(workBucket);
    },
    async openStore(environment, side) {
      const { openEnvironmentStore } = await import("../src/adapters/store-opener.ts");
      return openEnvironmentStore(environment, side);
    },
    async caller() {
      const { STSClient, GetCallerIdentityCommand } = await import("@aws-sdk/client-sts");
      const asked = new STSClient({}).send(new GetCallerIdentityCommand({}));
      return (await asked.catch(() => undefined))?.Arn ?? "the credentials of this shell";
    },
    async invoke(functionName, payload) {
      const { LambdaClient, InvokeCommand } = await import("@aws-sdk/client-lambda");
      const command = new InvokeCommand({ FunctionName: functionName, Payload: JSON.stringify(payload) });
      const answer = await explaining(env, `invoking the function ${functionName}`, () =>
        new LambdaClient({}).send(command),
      );
      const told = jsonOrUndefined(answer.Payload?.transformToString() ?? "");
      if (answer.FunctionError === undefined) return told;
      const { errorMessage = answer.FunctionError } = { ...(told as { errorMessage?: string } | undefined) };
      throw new CliError("FunctionFailed", errorMessage);
    },
    async withMilvus(environment, use) {
      const { connectMilvus, closeMilvusConnections } = await import("../src/adapters/milvus/index.ts");
      milvusUsers += 1;
      try {
        return await use(await connectMilvus(environment));
      } finally {
        milvusUsers -= 1;
        // the connection is one for all: a server has several who use it
        if (milvusUsers === 0) closeMilvusConnections();
      }
    },
  };
}

async function openExecutions(env: Environment, config: ClientConfig): Promise<PipelineExecutions> {
  const [{ SFNClient }, { createPipelineExecutions }] = await Promise.all([
    import("@aws-sdk/client-sfn"),
    import("../src/adapters/pipeline-executions.ts"),
  ]);
  const real = createPipelineExecutions(new SFNClient(config));
  return {
    start: (request) => explaining(env, `starting the execution ${request.name}`, () => real.start(request)),
    describe: (arn) => explaining(env, "asking for the execution", () => real.describe(arn)),
    currentState: (arn) => explaining(env, "asking for the execution's history", () => real.currentState(arn)),
    list: (arn, limit) => explaining(env, "listing executions", () => real.list(arn, limit)),
    history: (arn) => explaining(env, "asking for the execution's history", () => real.history(arn)),
    mapItems: (arn, label) => explaining(env, "asking for the execution's batches", () => real.mapItems(arn, label)),
    stop: (arn, reason) => explaining(env, "stopping the execution", () => real.stop(arn, reason)),
  };
}

async function openRegistry(
  env: Environment,
  { environmentsPrefix: prefix, environmentsKeyArn: keyArn }: Pipeline,
  config: ClientConfig,
): Promise<WritableEnvironmentRegistry> {
  const { environmentRegistry } = await import("../src/adapters/environment-registry.ts");
  const real = environmentRegistry({ prefix, keyArn, config });
  const doing = "using the registered environments in Secrets Manager";
  return {
    get: (name) => explaining(env, doing, () => real.get(name)),
    getVersion: (name, version) => explaining(env, doing, () => real.getVersion(name, version)),
    compare: (environment) => explaining(env, doing, () => real.compare(environment)),
    put: (environment, options) => explaining(env, doing, () => real.put(environment, options)),
    list: () => explaining(env, doing, () => real.list()),
    delete: (name, options) => explaining(env, doing, () => real.delete(name, options)),
    restore: (name) => explaining(env, doing, () => real.restore(name)),
  };
}

/** @throws what `call` throws, an error of AWS in the command's own words */
export async function explaining<T>(env: Environment, doing: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    // an adapter tells AWS's answers in the words of Lambdas; the command has its own for the answer itself
    const told = error instanceof Error && error.cause !== undefined ? explainAwsError(error.cause, doing, env) : error;
    throw told instanceof CliError ? told : explainAwsError(error, doing, env);
  }
}
