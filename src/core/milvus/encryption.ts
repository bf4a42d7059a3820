import { PipelineError } from "../execution/errors.ts";
import type { BackupInfo, CollectionBackup } from "../format/meta.ts";
import type { KeyValue } from "./attributes.ts";
import { qualifiedName } from "./names.ts";

/** Properties of a database by Milvus's source (pkg/common/common.go): its encryption zone, and which root key the zone's own is wrapped with. */
const zone = "cipher.ezID";
const rootKey = "cipher.key";

/** Whether the data of a database is encrypted, so that nobody reads a copy of it without the zone's key. */
export function isEncrypted(properties: readonly KeyValue[]): boolean {
  return [zone, rootKey].every((key) => properties.some((property) => property.key === key && property.value !== ""));
}

/** Whether a backup has a collection as its Milvus encrypted it. */
export function isKeptEncrypted(
  { database_backups }: Pick<BackupInfo, "database_backups">,
  { db_name: of }: Pick<CollectionBackup, "db_name">,
): boolean {
  return database_backups.some(
    ({ db_name, ezk, properties }) => db_name === of && (ezk !== "" || isEncrypted(properties)),
  );
}

/** @throws UnsupportedData for a collection whose rows only a Milvus with its key reads */
export function checkNotEncrypted(
  backup: Pick<BackupInfo, "database_backups">,
  collection: Pick<CollectionBackup, "db_name" | "collection_name">,
): void {
  if (!isKeptEncrypted(backup, collection)) return;
  const name = qualifiedName({ database: collection.db_name, collection: collection.collection_name });
  throw new PipelineError(
    "UnsupportedData",
    `${name} is of an encrypted database, whose rows only a Milvus with its key reads. Restore the backup to look into it`,
    { details: { collection: name } },
  );
}
