import type { RestoreInput } from "../../core/execution/messages.ts";
import type { BackupOutline } from "../../core/format/outline.ts";
import { defaultDatabase, parseCollectionSelector } from "../../core/milvus/names.ts";
import { withoutCollections } from "../../core/plan/restore-databases.ts";
import { namesOfRestore, type RestoreNames } from "../../core/plan/restore-names.ts";
import { checkEverySelectorFinds } from "../shared/select-collections.ts";

/**
 * Which collections of a backup, and databases without any, a restore makes, and under which names.
 * @param where the backup lies, for messages
 * @throws CollectionNotFound, and InvalidInput where names, targets or overrides do not fit
 */
export function nameRestored(
  backup: Pick<BackupOutline, "collection_backups" | "database_backups">,
  input: RestoreInput,
  where: string,
): RestoreNames {
  const collections = backup.collection_backups.map(({ db_name, collection_name }) => ({
    database: db_name || defaultDatabase,
    collection: collection_name,
  }));
  const inBackup = [...collections, ...withoutCollections(backup)];
  const selectors = (input.collections ?? []).map(parseCollectionSelector);
  checkEverySelectorFinds(selectors, inBackup, `in backup ${input.backupName} (${where})`);
  return namesOfRestore(inBackup, input);
}
