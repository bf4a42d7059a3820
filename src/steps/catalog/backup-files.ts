import { settleEach } from "../../core/execution/settle.ts";
import { backupsRoot, incrementalsOf, sharedSegmentsName } from "../../core/format/layout.ts";
import type { ObjectStore, ObjectSummary } from "../../ports/object-store.ts";
import { StoredBackup } from "../shared/stored-backup.ts";

/** A backup, complete or not, with the small files that lie beside its logs. */
export interface BackupFiles {
  readonly stored: StoredBackup;
  /** By key: metas, manifest, claim and what was found out about it later, as one listing shows them. */
  readonly files: ReadonlyMap<string, ObjectSummary>;
}

/** Backups that are looked at at once: each waits for the store most of the time. */
const lookConcurrency = 32;

/** What the small files of a backup begin with, plain ones of the format and ours: `meta/`, `manifest/`, `milvus-backup-...`. No log does. */
const smallFiles = "m";

/**
 * Looks at every directory below a backup root path, by name: which kind of backup lies there, and which of its small files. One request for
 * a plain backup and two for an incremental one, however many logs they have.
 */
export async function lookAtBackups(store: ObjectStore, place: { readonly rootPath: string }): Promise<BackupFiles[]> {
  const root = backupsRoot(place.rootPath);
  const names = (await store.listDirectories(root)).map((directory) => directory.slice(root.length, -1));
  return eachBackup(
    names.filter((name) => name !== sharedSegmentsName),
    (name) => lookAtBackup(store, place, name),
  );
}

/** Does something for each backup, several at a time, and answers in their order. */
export async function eachBackup<T, R>(backups: readonly T[], run: (backup: T) => Promise<R>): Promise<R[]> {
  return settleEach(backups, lookConcurrency, run);
}

/** The complete backup of a name, plain or incremental; where none is, what is left there, a plain one where nothing is. */
async function lookAtBackup(
  store: ObjectStore,
  place: { readonly rootPath: string },
  name: string,
): Promise<BackupFiles> {
  const plain = new StoredBackup(store, place, name);
  const files = await filesBelow(store, plain.layout.root + smallFiles);
  if (files.has(plain.layout.meta.full_meta)) return { stored: plain, files };
  const parent = incrementalsOf(place.rootPath, name);
  for (const [key, file] of await filesBelow(store, parent)) files.set(key, file);
  const sources = [...files.keys()].flatMap((key) =>
    key.startsWith(parent) ? sourceOf(key.slice(parent.length)) : [],
  );
  const incrementals = [...new Set(sources)].map((source) => new StoredBackup(store, place, name, source));
  const complete = incrementals.find(({ layout }) => files.has(layout.meta.full_meta));
  return { stored: complete ?? incrementals[0] ?? plain, files };
}

/** `<source>/full_meta.json` */
function sourceOf(below: string): string[] {
  const end = below.indexOf("/");
  return end > 0 ? [below.slice(0, end)] : [];
}

async function filesBelow(store: ObjectStore, prefix: string): Promise<Map<string, ObjectSummary>> {
  const files = new Map<string, ObjectSummary>();
  for await (const file of store.list(prefix)) files.set(file.key, file);
  return files;
}
