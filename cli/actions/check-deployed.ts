import { type CheckRequest, type CheckResult, checkAnswer } from "../../src/core/check/result.ts";
import { describeChanges } from "../../src/core/environment/changes.ts";
import type { Environment } from "../../src/core/environment/environment.ts";
import { messageOf } from "../../src/core/execution/errors.ts";
import type { Connections } from "../context.ts";
import { functionName, type Pipeline } from "../pipeline/stack.ts";

interface DeployedCheck {
  readonly milvus: boolean;
  readonly restoreOnly?: true;
  /** Tells the probes of this check from others'. */
  readonly id: string;
  /** Whether the environment is a registered one by itself; a file has to be what is registered under its name. */
  readonly isNamed: boolean;
}

/**
 * Has two of the pipeline's functions check an environment: Prepare Backup the calls of Milvus, Copy Segments the buckets. They have
 * what every other one has of them: all are granted from the same lists, and run in one network.
 */
export async function checkDeployed(
  environment: Environment,
  pipeline: Pipeline,
  { milvus, restoreOnly, id, isNamed }: DeployedCheck,
  connections: Connections,
): Promise<CheckResult[]> {
  if (!isNamed) {
    const { isSame, detail } = await registrationOf(environment, pipeline, connections);
    if (!isSame) return [{ check: "environment", ok: false, detail: `functions use what is registered: ${detail}` }];
  }
  const ask = async (folder: string, of: CheckRequest["check"]["of"]): Promise<CheckResult[]> => {
    const name = functionName(pipeline, folder);
    const check = { environment: environment.name, of, id, ...(restoreOnly && { restoreOnly }) };
    const by = `${of} by`;
    try {
      const { checks } = checkAnswer.parse(await connections.invoke(name, { check } satisfies CheckRequest));
      return [{ check: by, ok: true, detail: name }, ...checks];
    } catch (error) {
      const reason = messageOf(error);
      const old = reason.startsWith("InvalidInput") ? " (it knows no checks: deploy the current version)" : "";
      return [{ check: by, ok: false, detail: `${name}: ${reason}${old}` }];
    }
  };
  const asked = await Promise.all([milvus ? ask("prepare-backup", "milvus") : [], ask("copy-segments", "stores")]);
  return asked.flat();
}

/** How a file stands to what is registered under its name. */
export async function registrationOf(
  environment: Environment,
  pipeline: Pipeline,
  connections: Connections,
): Promise<{ isSame: boolean; detail: string }> {
  const registry = await connections.environments(pipeline);
  const { name } = environment;
  const compared = await registry.compare(environment);
  if (compared.registered === "nothing") {
    return { isSame: false, detail: `${name} is not registered yet: create and restore do that, or env set` };
  }
  if (compared.registered === "same") return { isSame: true, detail: `${name} is registered with this content` };
  const what = describeChanges(
    compared.changes,
    (registered, given) => `registered ${registered}, in the file ${given}`,
  );
  return {
    isSame: false,
    detail: `${name} is registered with other content${what && `: ${what}`}; create and restore want --replace, or --environment ${name}`,
  };
}
