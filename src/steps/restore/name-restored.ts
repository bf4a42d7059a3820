import type { RestoreInput } from "../../core/execution/messages.ts";
import type { BackupOutline } from "../../core/format/outline.ts";
import { defaultDatabase, parseCollectionSelector } from "../../core/milvus/names.ts";
import { nameRestoredCollections, type RestoreName } from "../../core/plan/restore-names.ts";
import { checkEverySelectorFinds } from "../shared/select-collections.ts";

/**
 * Which collections of a backup a restore makes, and under which names.
 * @param where the backup lies, for messages
 * @throws CollectionNotFound, and InvalidInput where names, targets or overrides do not fit
 */
export function nameRestored(
  { collection_backups }: Pick<BackupOutline, "collection_backups">,
  input: RestoreInput,
  where: string,
): RestoreName[] {
  const inBackup = collection_backups.map(({ db_name, collection_name }) => ({
    database: db_name || defaultDatabase,
    collection: collection_name,
  }));
  const selectors = (input.collections ?? []).map(parseCollectionSelector);
  checkEverySelectorFinds(selectors, inBackup, `in backup ${input.backupName} (${where})`);
  return nameRestoredCollections(inBackup, input);
}
