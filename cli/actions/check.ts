import { describeChanges } from "../../src/core/environment/changes.ts";
import type { Environment } from "../../src/core/environment/environment.ts";
import { PipelineError } from "../../src/core/execution/errors.ts";
import type { ObjectStore } from "../../src/ports/object-store.ts";
import type { Connections } from "../context.ts";
import { chosenEnvironment } from "../environments.ts";
import type { Pipeline } from "../pipeline/stack.ts";
import type { VerbRun } from "../verbs/verb.ts";

interface CheckOptions {
  readonly milvus: boolean;
}

/** How one check went. `detail` says what was found, or what is wrong and what to do. */
interface CheckResult {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** Tries everything that a backup needs; answers exit code 1 where something is wrong. */
export async function check({ options, shared, output, context }: VerbRun<CheckOptions>): Promise<number> {
  const { connections } = context;
  const results: CheckResult[] = [];
  const attempt = async <T>(name: string, run: () => Promise<{ value: T; detail: string }>): Promise<T | undefined> => {
    try {
      const { value, detail } = await run();
      results.push({ check: name, ok: true, detail });
      return value;
    } catch (error) {
      results.push({ check: name, ok: false, detail: error instanceof Error ? error.message : String(error) });
      return undefined;
    }
  };

  const environment = await attempt("config", async () => {
    const value = await chosenEnvironment(context, shared);
    return { value, detail: shared.environment === undefined ? shared.config : `registered as ${value.name}` };
  });
  if (environment) {
    if (options.milvus) {
      await attempt("milvus", () =>
        connections.withMilvus(environment, async (milvus) => ({
          value: undefined,
          detail: `${milvus.address}, version ${await milvus.version()}`,
        })),
      );
      await attempt("gc pause", async () => ({ value: undefined, detail: await pauseOf(environment, connections) }));
    }
    for (const side of ["milvus", "backup"] as const) {
      await attempt(`${side} bucket`, async () => {
        const store = await connections.openStore(environment, side);
        await store.checkAccess();
        const { rootPath } = side === "milvus" ? environment.storage : environment.backupStorage;
        const locks = side === "backup" ? `, ${await locksOf(store, environment)}` : "";
        return { value: undefined, detail: `${store.label}, root path ${rootPath || "(none)"}${locks}` };
      });
    }
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
    if (environment && shared.environment === undefined) {
      await attempt("environment", async () => ({
        value: undefined,
        detail: await registrationOf(environment, pipeline, connections),
      }));
    }
  }

  const ok = results.every((result) => result.ok);
  const width = Math.max(...results.map((result) => result.check.length));
  const lines = results.map((result) => `${result.ok ? "✓" : "✗"} ${result.check.padEnd(width)}  ${result.detail}`);
  output.result({ kind: "checks", version: 1, ok, checks: results }, lines.join("\n"));
  return ok ? 0 : 1;
}

/**
 * Whether the bucket with the backups can lock them.
 * @throws InvalidEnvironment where the environment asks for locks, and it cannot
 */
async function locksOf(store: ObjectStore, { backupStorage }: Environment): Promise<string> {
  const { objectLock } = backupStorage;
  const { state, byDefault } = await store.bucketLock().catch((error: unknown) => {
    if (objectLock !== undefined || !(error instanceof PipelineError)) throw error;
    return { state: "unknown", byDefault: undefined } as const;
  });
  if (objectLock !== undefined && state !== "on") {
    throw new PipelineError(
      "InvalidEnvironment",
      `minio.backupObjectLock is ${objectLock.for}, and ${store.label} has no Object Lock: leave the key out, or keep the backups in a bucket that has it`,
    );
  }
  const asked = objectLock === undefined ? "" : `, backups are locked for ${objectLock.for} (${objectLock.mode})`;
  switch (state) {
    case "on":
      return `Object Lock on${byDefault ? ` (by default ${byDefault})` : ""}${asked}`;
    case "unknown":
      return "whether it has Object Lock may not be asked (s3:GetBucketObjectLockConfiguration)";
    default:
      return "no Object Lock";
  }
}

/**
 * Whether a backup can pause garbage collection. Where it cannot, it goes on without, so that is nothing wrong.
 * Only a pause with a ticket is ended: without tickets (before 2.6.8) that would end the pause of a backup that is running.
 */
async function pauseOf(environment: Environment, connections: Connections): Promise<string> {
  const { enable, address } = environment.gcPause;
  if (!enable) return "off (backup.gcPause.enable)";
  try {
    return await connections.withMilvus(environment, async (milvus) => {
      const pause = await milvus.pauseGarbageCollection(1);
      if (pause === undefined) return `Milvus ${await milvus.version()} has no such call; backups go on without`;
      if (pause.ticket) await milvus.resumeGarbageCollection(pause);
      return pause.ticket ? `${address} pauses and resumes` : `${address} pauses`;
    });
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    return `not possible, backups go on without: ${error.message}`;
  }
}

/** How a file stands to what is registered under its name. */
async function registrationOf(environment: Environment, pipeline: Pipeline, connections: Connections): Promise<string> {
  const registry = await connections.environments(pipeline);
  const { name } = environment;
  const compared = await registry.compare(environment);
  if (compared.registered === "nothing") return `${name} is not registered yet: create and restore do that`;
  if (compared.registered === "same") return `${name} is registered with this content`;
  const what = describeChanges(
    compared.changes,
    (registered, given) => `registered ${registered}, in the file ${given}`,
  );
  return `${name} is registered with other content${what && `: ${what}`}; create and restore want --replace, or --environment ${name}`;
}
