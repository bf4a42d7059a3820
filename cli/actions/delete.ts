import { checkBackupName } from "../../src/core/milvus/names.ts";
import { checkDeletable, deleteBackup } from "../../src/steps/catalog/delete-backup.ts";
import { findBackup } from "../../src/steps/shared/stored-backup.ts";
import { sumOfSweeps, sweepSegments } from "../../src/steps/shared/sweep-segments.ts";
import { chosenEnvironment } from "../environments.ts";
import { countOf, formatBytes } from "../output/format.ts";
import { backupLocation } from "../output/location.ts";
import type { VerbRun } from "../verbs/verb.ts";
import { confirm } from "./confirm.ts";
import { deletionContext, deletionHolder, pipelineIfThere } from "./deletions.ts";

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
  const deleted = `Deleted backup ${name}: ${countOf(objects, "object")} in ${location}`;
  if (stored.layout.source === undefined) {
    output.result({ backupName: name, location, objects }, deleted);
    return;
  }
  const { skipped, ...swept } = sumOfSweeps(await sweepSegments(stored.store, place, request, deletion));
  if (skipped !== undefined) output.warn(skipped);
  output.result(
    { backupName: name, location, objects, swept },
    `${deleted}, and ${countOf(swept.segments, "segment")} (${formatBytes(swept.bytes)}) that no other backup names`,
  );
}
