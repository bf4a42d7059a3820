import type { BackupOutline } from "../format/outline.ts";
import type { KeyValue } from "../milvus/attributes.ts";
import { type CollectionSelector, defaultDatabase, wholeDatabase } from "../milvus/names.ts";
import { ownProperties } from "../milvus/properties.ts";
import type { PlannedDatabase } from "./planned-restore.ts";
import type { RestoreNames } from "./restore-names.ts";

/** The databases of which a backup has no collection, as `db.*`; `default` is always there. */
export function withoutCollections({
  collection_backups,
  database_backups,
}: Pick<BackupOutline, "collection_backups" | "database_backups">): CollectionSelector[] {
  const used = new Set(collection_backups.map(({ db_name }) => db_name || defaultDatabase));
  return database_backups
    .map(({ db_name }) => db_name || defaultDatabase)
    .filter((database) => database !== defaultDatabase && !used.has(database))
    .map((database) => ({ database, collection: wholeDatabase }));
}

/** The databases that are made where they are not there, with what the backup says of them; `default` is always there. */
export function planDatabases(
  backup: Pick<BackupOutline, "database_backups">,
  { collections, databases }: RestoreNames,
): PlannedDatabase[] {
  const planned = new Map<string, PlannedDatabase>();
  for (const { source, target } of databases) {
    planned.set(target, { name: target, properties: propertiesOf(backup, source), empty: true });
  }
  for (const { source, target } of collections) {
    const { database: name } = target;
    planned.set(name, { name, properties: propertiesOf(backup, source.database) });
  }
  planned.delete(defaultDatabase);
  return [...planned.values()];
}

/** What a database of the backup is made with; without what servers manage. */
export function propertiesOf(backup: Pick<BackupOutline, "database_backups">, database: string): KeyValue[] {
  const found = backup.database_backups.find(({ db_name }) => (db_name || defaultDatabase) === database);
  return ownProperties(found?.properties ?? []);
}

/** What a database that is there has otherwise than the backup's, in words: `database.replica.number is 1 (in the backup 2)`. */
export function differingProperties(inBackup: readonly KeyValue[], there: readonly KeyValue[]): string[] {
  const [wanted, found] = [inBackup, ownProperties(there)].map(
    (properties) => new Map(properties.map(({ key, value }) => [key, value])),
  ) as [Map<string, string>, Map<string, string>];
  return [...new Set([...wanted.keys(), ...found.keys()])].sort().flatMap((key) => {
    if (wanted.get(key) === found.get(key)) return [];
    // which root key somebody has is nobody else's business
    if (key.startsWith("cipher.") && wanted.has(key) && found.has(key))
      return [`${key} is another one than in the backup`];
    if (key.startsWith("cipher."))
      return [`${key} is ${found.has(key) ? "" : "not "}set (in the backup ${wanted.has(key) ? "" : "not "}set)`];
    return [`${key} is ${found.get(key) ?? "not set"} (in the backup ${wanted.get(key) ?? "not set"})`];
  });
}
