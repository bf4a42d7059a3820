import { checkBackupName } from "../src/core/milvus/names.ts";
import { CollectionRows } from "../src/steps/rows/collection-rows.ts";
import { findBackup } from "../src/steps/shared/find-backup.ts";
import { chosenEnvironment } from "./environments.ts";
import type { VerbRun } from "./verbs/verb.ts";

/**
 * Opens the rows of one collection in each of some backups, and warns of what a reader of them should know.
 * @throws UnknownEnvironment, InvalidInput, BackupNotFound, CollectionNotFound, CorruptBackup, and what the store throws
 */
export async function openRows(
  { shared, output, context }: Omit<VerbRun<unknown>, "options">,
  names: readonly string[],
  collection: string,
): Promise<CollectionRows[]> {
  const environment = await chosenEnvironment(context, shared);
  const store = await context.connections.openStore(environment, "backup");
  const payloads = await context.connections.payloads();
  const opened: CollectionRows[] = [];
  for (const name of names) {
    const stored = await findBackup(store, environment.backupStorage, checkBackupName(name));
    const { rows, warnings } = await CollectionRows.open(stored, payloads, collection);
    for (const warning of warnings) output.warn(warning);
    if (rows.instant === undefined) {
      output.warn(
        `backup ${name} does not say at which instant it was taken: its rows are shown as they are, with all deletes it holds`,
      );
    }
    for (const { name: field, type } of rows.unreadable) {
      output.warn(`field ${field} is ${type}, which is not read yet: its values are in the backup and not shown`);
    }
    opened.push(rows);
  }
  return opened;
}
