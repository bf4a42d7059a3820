import { randomUUID } from "node:crypto";
import type { DeleteContext } from "../../src/steps/catalog/delete-backup.ts";
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
