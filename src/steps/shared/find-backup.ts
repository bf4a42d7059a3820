import { settleEach } from "../../core/execution/settle.ts";
import { backupsRoot, sharedSegmentsName } from "../../core/format/layout.ts";
import type { ObjectStore, ObjectSummary } from "../../ports/object-store.ts";
import { type BackupsPlace, StoredBackup } from "./stored-backup.ts";

/** Backups that are looked at at once. */
const lookConcurrency = 8;

/** The backup of a name: plain or incremental, whichever is complete there; a plain one where none is and nothing is left of another. */
export async function findBackup(store: ObjectStore, place: BackupsPlace, name: string): Promise<StoredBackup> {
  return (await lookForBackup(store, place, name)).stored;
}

/** The same, with the commit record as it was seen; undefined of a backup that is not complete. */
export async function lookForBackup(
  store: ObjectStore,
  place: BackupsPlace,
  name: string,
): Promise<{ readonly stored: StoredBackup; readonly committed: ObjectSummary | undefined }> {
  const plain = new StoredBackup(store, place, name);
  const found = await plain.committed();
  if (found) return { stored: plain, committed: found };
  const incrementals = await plain.incrementals();
  for (const stored of incrementals) {
    const committed = await stored.committed();
    if (committed) return { stored, committed };
  }
  return { stored: incrementals[0] ?? plain, committed: undefined };
}

/** The directories below a backup root path, each maybe a backup, by name. */
export async function storedBackups(store: ObjectStore, place: BackupsPlace): Promise<StoredBackup[]> {
  const root = backupsRoot(place.rootPath);
  const names = (await store.listDirectories(root)).map((directory) => directory.slice(root.length, -1));
  return settleEach(
    names.filter((name) => name !== sharedSegmentsName),
    lookConcurrency,
    (name) => findBackup(store, place, name),
  );
}
