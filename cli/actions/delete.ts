import { PipelineError } from "../../src/core/execution/errors.ts";
import { checkBackupName } from "../../src/core/milvus/names.ts";
import { checkDeletable, type DeleteContext, deleteBackup } from "../../src/steps/catalog/delete-backup.ts";
import { findBackup } from "../../src/steps/shared/find-backup.ts";
import type { StoredBackup } from "../../src/steps/shared/stored-backup.ts";
import { sumOfSweeps, sweepSegments } from "../../src/steps/shared/sweep-segments.ts";
import { chosenEnvironment } from "../environments.ts";
import { CliError } from "../errors.ts";
import { countOf, formatBytes } from "../output/format.ts";
import { backupLocation } from "../output/location.ts";
import type { Output } from "../output/output.ts";
import type { VerbRun } from "../verbs/verb.ts";
import { confirm } from "./confirm.ts";
import { checkDeletionMeant, deletionContext, deletionHolder, pipelineIfThere } from "./deletions.ts";

interface DeleteOptions {
  readonly name: string;
  readonly yes?: true;
  readonly confirm?: string;
  readonly incomplete?: true;
  /** Goes on with a deletion that was broken off. */
  readonly goesOn?: true;
}

/** Deletes a backup, after asking. @throws Unfinished where its time was over before it was done */
export async function remove({ options, shared, output, context, until }: VerbRun<DeleteOptions>): Promise<void> {
  const name = checkBackupName(options.name);
  const environment = await chosenEnvironment(context, shared);
  const pipeline = await pipelineIfThere(context, shared.stack, output);
  await checkDeletionMeant(environment, options.confirm, { context, pipeline, output });
  const place = environment.backupStorage;
  const stored = await findBackup(await context.connections.openStore(environment, "backup"), place, name);
  const request = {
    place,
    holder: deletionHolder("delete", context.clock.now()),
    deployment: pipeline?.backupStateMachineArn ?? "",
    incomplete: options.incomplete === true,
    goesOn: options.goesOn === true,
    until,
  };
  const deletion = await deletionContext(context, pipeline);
  await checkDeletable(stored, request, deletion);
  const location = backupLocation(environment, name);
  if (!options.yes) {
    await confirm(context.terminal, `Delete backup ${name} in ${location} for good?`, { verb: "delete" });
  }
  const { objects, left } = await deleteBackup(stored, request, deletion);
  if (left) {
    throw new CliError(
      "Unfinished",
      `not all of backup ${name} in ${location} is deleted yet, ${countOf(objects, "object")} by now: delete it again, which goes on`,
    );
  }
  const deleted = `Deleted backup ${name}: ${countOf(objects, "object")} in ${location}`;
  const swept = await sweepAfter(stored, request, deletion, output);
  output.result(
    { kind: "delete", version: 1, backupName: name, location, objects, ...(swept && { swept }) },
    swept === undefined
      ? deleted
      : `${deleted}, and ${countOf(swept.segments, "segment")} (${formatBytes(swept.bytes)}) that no other backup names`,
  );
}

/** Removes the segments that no incremental backup names any more; undefined where there are none, or that is left to the next sweep. */
async function sweepAfter(
  { store }: StoredBackup,
  { place, ...request }: Parameters<typeof sweepSegments>[2] & { readonly place: { readonly rootPath: string } },
  context: DeleteContext,
  output: Output,
) {
  try {
    const sources = await sweepSegments(store, place, request, context);
    const { skipped, locked, ...swept } = sumOfSweeps(sources);
    if (locked !== undefined) output.note(locked);
    if (skipped !== undefined) output.warn(skipped);
    return sources.length === 0 ? undefined : swept;
  } catch (error) {
    // the backup is gone whatever becomes of the sweep
    if (!(error instanceof PipelineError) || error.name !== "CorruptBackup") throw error;
    output.warn(error.message);
    return undefined;
  }
}
