import { randomUUID } from "node:crypto";
import type { Environment } from "../../src/core/environment/environment.ts";
import { checkConfirmed } from "../../src/core/environment/protection.ts";
import { PipelineError } from "../../src/core/execution/errors.ts";
import type { DeleteContext } from "../../src/steps/catalog/delete-backup.ts";
import { sameBackupPlace } from "../../src/steps/shared/pinned-environments.ts";
import type { CliContext } from "../context.ts";
import { CliError } from "../errors.ts";
import type { Output } from "../output/output.ts";
import { executionStates } from "../pipeline/execution-states.ts";
import type { Pipeline } from "../pipeline/stack.ts";

const quiet = { info: () => {}, warn: () => {} };

/** What a deletion from here needs to see who writes and who reads. @param pipeline undefined where there is none: nobody is seen to read */
export async function deletionContext(context: CliContext, pipeline: Pipeline | undefined): Promise<DeleteContext> {
  return {
    work: pipeline && (await context.connections.workStore(pipeline)),
    executions: executionStates(() => context.connections.executions()),
    clock: context.clock,
    log: quiet,
  };
}

/** Names one run of the command in the claim that it takes. */
export function deletionHolder(verb: string, now: Date): string {
  return `milvus-backup ${verb} of ${now.toISOString()} (${randomUUID()})`;
}

/** Readers leave their marks with the pipeline: without one, nobody is seen to read, which the command says. */
export async function pipelineIfThere(
  context: CliContext,
  stack: string,
  output: Output,
): Promise<Pipeline | undefined> {
  try {
    return await context.connections.pipeline(stack);
  } catch (error) {
    if (!(error instanceof CliError) || error.name !== "PipelineNotDeployed") throw error;
    output.warn(`nobody can be asked who reads or writes the backup: ${error.message}`);
    return undefined;
  }
}

/**
 * Whether backups of an environment may be deleted: where it, or another registered environment that keeps its backups in the same place,
 * is protected, one of those is named once more.
 * @throws EnvironmentProtected, InvalidInput
 */
export async function checkDeletionMeant(
  environment: Environment,
  confirm: string | undefined,
  { context, pipeline, output }: { context: CliContext; pipeline: Pipeline | undefined; output: Output },
): Promise<void> {
  const others = pipeline === undefined ? [] : await registeredOnes(context, pipeline, output);
  const owners = [environment, ...others].filter((it) => it.protected && sameBackupPlace(it, environment));
  const meant = owners.find(({ name }) => name === confirm) ?? owners[0] ?? environment;
  checkConfirmed(meant, confirm, "none of its backups is deleted");
}

async function registeredOnes(context: CliContext, pipeline: Pipeline, output: Output): Promise<Environment[]> {
  const registry = await context.connections.environments(pipeline);
  try {
    const all = await Promise.all(
      (await registry.list()).map((name) =>
        registry.get(name).catch((error: unknown) => {
          // One that nobody can read protects nothing.
          if (error instanceof PipelineError && ["InvalidEnvironment", "UnknownEnvironment"].includes(error.name))
            return;
          throw error;
        }),
      ),
    );
    return all.filter((environment) => environment !== undefined);
  } catch (error) {
    if (!(error instanceof PipelineError) || error.name !== "StoreAccessDenied") throw error;
    output.warn(`whether another environment protects these backups cannot be told: ${error.message}`);
    return [];
  }
}
