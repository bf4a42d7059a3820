import { checkBackupName } from "../../src/core/milvus/names.ts";
import { checkDeletable, deleteBackup } from "../../src/steps/catalog/delete-backup.ts";
import { chosenEnvironment } from "../environments.ts";
import { countOf } from "../output/format.ts";
import { backupLocation } from "../output/location.ts";
import type { VerbRun } from "../verbs/verb.ts";
import { confirm } from "./confirm.ts";

interface DeleteOptions {
  readonly name: string;
  readonly yes?: true;
  readonly incomplete?: true;
}

/** Deletes a backup, after asking. */
export async function remove({ options, shared, output, context }: VerbRun<DeleteOptions>): Promise<void> {
  const name = checkBackupName(options.name);
  const environment = await chosenEnvironment(context, shared);
  const { rootPath } = environment.backupStorage;
  const store = await context.connections.openStore(environment, "backup");
  const incomplete = options.incomplete === true;
  await checkDeletable(store, rootPath, name, { incomplete });
  const location = backupLocation(environment, name);
  if (!options.yes) {
    await confirm(context.terminal, `Delete backup ${name} in ${location} for good?`, {
      unanswered: "delete asks first, and nobody can answer here: add --yes",
    });
  }
  const { objects } = await deleteBackup(store, rootPath, name, { incomplete });
  output.result(
    { backupName: name, location, objects },
    `Deleted backup ${name}: ${countOf(objects, "object")} in ${location}`,
  );
}
