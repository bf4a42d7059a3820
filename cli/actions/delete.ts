import { checkBackupName } from "../../src/core/milvus/names.ts";
import { checkDeletable, deleteBackup } from "../../src/steps/catalog/delete-backup.ts";
import { findBackup } from "../../src/steps/shared/stored-backup.ts";
import type { CliContext } from "../context.ts";
import { chosenEnvironment } from "../environments.ts";
import { CliError } from "../errors.ts";
import { countOf } from "../output/format.ts";
import { backupLocation } from "../output/location.ts";
import type { Output } from "../output/output.ts";
import type { Pipeline } from "../pipeline/stack.ts";
import type { VerbRun } from "../verbs/verb.ts";
import { confirm } from "./confirm.ts";
import { deletionContext, deletionHolder } from "./deletions.ts";

interface DeleteOptions {
  readonly name: string;
  readonly yes?: true;
  readonly incomplete?: true;
}

/** Deletes a backup, after asking. */
export async function remove({ options, shared, output, context }: VerbRun<DeleteOptions>): Promise<void> {
  const name = checkBackupName(options.name);
  const environment = await chosenEnvironment(context, shared);
  const pipeline = await pipelineIfThere(context, shared.stack, output);
  const place = environment.backupStorage;
  const stored = await findBackup(await context.connections.openStore(environment, "backup"), place, name);
  const request = {
    place,
    holder: deletionHolder("delete", context.clock.now()),
    deployment: pipeline?.backupStateMachineArn ?? "",
    incomplete: options.incomplete === true,
  };
  const deletion = await deletionContext(context, pipeline);
  await checkDeletable(stored, request, deletion);
  const location = backupLocation(environment, name);
  if (!options.yes) {
    await confirm(context.terminal, `Delete backup ${name} in ${location} for good?`, {
      unanswered: "delete asks first, and nobody can answer here: add --yes",
    });
  }
  const { objects } = await deleteBackup(stored, request, deletion);
  output.result(
    { backupName: name, location, objects },
    `Deleted backup ${name}: ${countOf(objects, "object")} in ${location}`,
  );
}

/** Readers leave their marks with the pipeline: without one, nobody is seen to read, which the command says. */
async function pipelineIfThere(context: CliContext, stack: string, output: Output): Promise<Pipeline | undefined> {
  try {
    return await context.connections.pipeline(stack);
  } catch (error) {
    if (!(error instanceof CliError) || error.name !== "PipelineNotDeployed") throw error;
    output.warn(`nobody can be asked who reads or writes the backup: ${error.message}`);
    return undefined;
  }
}
