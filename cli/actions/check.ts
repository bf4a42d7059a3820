import { randomBytes } from "node:crypto";
import type { CheckResult } from "../../src/core/check/result.ts";
import { neededStatements, type Runner, reachOfBackups } from "../../src/core/check/statements.ts";
import type { Environment } from "../../src/core/environment/environment.ts";
import { messageOf } from "../../src/core/execution/errors.ts";
import { checkMilvus, type UseMilvus } from "../../src/steps/check/check-milvus.ts";
import { checkStores } from "../../src/steps/check/check-stores.ts";
import type { Connections } from "../context.ts";
import { chosenEnvironment } from "../environments.ts";
import { CliError } from "../errors.ts";
import { policiesOf, tellPolicies } from "../output/policies.ts";
import type { VerbRun } from "../verbs/verb.ts";
import { checkDeployed, registrationOf } from "./check-deployed.ts";

interface CheckOptions {
  readonly milvus: boolean;
  readonly deployed?: true;
  readonly simulate?: true;
  readonly restoreOnly?: true;
}

/** Tries everything that a backup needs; answers exit code 1 where something is wrong. */
export async function check(run: VerbRun<CheckOptions>): Promise<number> {
  const { options, shared, output, context } = run;
  if (options.simulate) return simulate(run);
  const { connections } = context;
  const results: CheckResult[] = [];
  const attempt = async <T>(name: string, run: () => Promise<{ value: T; detail: string }>): Promise<T | undefined> => {
    try {
      const { value, detail } = await run();
      results.push({ check: name, ok: true, detail });
      return value;
    } catch (error) {
      results.push({ check: name, ok: false, detail: messageOf(error) });
      return undefined;
    }
  };

  const environment = await attempt("config", async () => {
    const value = await chosenEnvironment(context, shared);
    return { value, detail: shared.environment === undefined ? shared.config : `registered as ${value.name}` };
  });
  const id = randomBytes(4).toString("hex");
  const runner = await runnerOf(options, environment, connections);
  if (environment && !options.deployed) {
    const { restoreOnly = false } = options;
    const openStore = (side: "milvus" | "backup") => connections.openStore(environment, side);
    if (options.milvus) {
      const use: UseMilvus = (run) => connections.withMilvus(environment, run);
      results.push(...(await checkMilvus(environment, use, () => openStore("milvus"))));
    }
    results.push(...(await checkStores(environment, { openStore, clock: context.clock, runner, restoreOnly, id })));
  }
  const pipeline = await attempt("pipeline", async () => {
    const value = await connections.pipeline(shared.stack);
    return { value, detail: `stack ${value.stack}` };
  });
  if (pipeline) {
    await attempt("work bucket", async () => {
      const store = await connections.workStore(pipeline);
      await store.checkAccess();
      return { value: undefined, detail: store.label };
    });
    if (environment && options.deployed) {
      const isNamed = shared.environment !== undefined;
      results.push(...(await checkDeployed(environment, pipeline, { ...options, id, isNamed }, connections)));
    } else if (environment && shared.environment === undefined) {
      await attempt("environment", async () => ({
        value: undefined,
        detail: (await registrationOf(environment, pipeline, connections)).detail,
      }));
    }
  }

  const ok = results.every((result) => result.ok);
  const width = Math.max(...results.map((result) => result.check.length));
  const lines = results.map((result) => `${result.ok ? "✓" : "✗"} ${result.check.padEnd(width)}  ${result.detail}`);
  const missing = policiesOf(results.flatMap((result) => result.missing ?? []));
  const text = [lines.join("\n"), ...(missing.length > 0 ? [`What is missing:\n\n${tellPolicies(missing)}`] : [])];
  output.result({ kind: "checks", version: 1, ok, triedBy: runner.name, checks: results }, text.join("\n\n"));
  const reach = environment && reachOfBackups(environment);
  if (reach !== undefined) output.note(reach);
  if (!options.deployed && environment && usesRoles(environment)) {
    output.note(`Tried with the permissions of ${runner.name}; those of the pipeline's functions: check --deployed`);
  }
  return ok ? 0 : 1;
}

/** Prints what an environment needs, for whoever writes the policies. */
async function simulate({ shared, output, context }: VerbRun<CheckOptions>): Promise<number> {
  const environment = await chosenEnvironment(context, shared);
  const policies = policiesOf(neededStatements(environment, functionsRunner));
  const reach = reachOfBackups(environment);
  if (policies.length === 0) {
    const types = [environment.storage.type, environment.backupStorage.type].join(" and ");
    throw new CliError("Usage", `stores of type ${types} have no policies of IAM: docs/stores.md has what they need`);
  }
  output.result({ kind: "policies", version: 1, environment: environment.name, policies }, tellPolicies(policies));
  if (reach !== undefined) output.note(reach);
  return 0;
}

/** Who uses an environment without keys and roles in the end. */
const functionsRunner: Runner = { name: "the roles of the pipeline's functions (pipeline.yaml grants it)" };

/** Who tries what: asked only where an environment leaves that open. */
async function runnerOf(
  { deployed }: CheckOptions,
  environment: Environment | undefined,
  connections: Connections,
): Promise<Runner> {
  if (deployed) return { name: "functions of the pipeline" };
  if (environment === undefined || !usesRoles(environment)) return { name: "the keys of the environment" };
  return { name: await connections.caller() };
}

function usesRoles({ storage, backupStorage }: Environment): boolean {
  return [storage, backupStorage].some(({ credentials }) => credentials.kind === "iam");
}
