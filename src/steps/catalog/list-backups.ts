import pLimit from "p-limit";
import { PipelineError } from "../../core/execution/errors.ts";
import { backupLayout, backupsRoot } from "../../core/format/layout.ts";
import { type BackupInfo, backupInfo, collectionLevelInfo } from "../../core/format/meta.ts";
import { parseFile } from "../../core/format/meta-codec.ts";
import { parseFullMeta } from "../../core/format/meta-files.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import type { ObjectStore } from "../../ports/object-store.ts";

/** One line of a list of backups. */
export interface BackupSummary {
  readonly name: string;
  /**
   * - `complete`: it has its commit record, `full_meta.json`
   * - `incomplete`: it has none: it is being written, its writing failed, or its deletion did
   * - `corrupt`: its metas cannot be read
   */
  readonly state: "complete" | "incomplete" | "corrupt";
  /** When the last of its collections was flushed; absent where the metas do not tell (an empty backup, skip_flush). */
  readonly createdAt?: Date;
  /** `db.coll`, in the backup's order. */
  readonly collections: readonly string[];
  /** Bytes of all logs. */
  readonly size: bigint;
  /** As the server said it: `v2.3.5-lite`; "" where the metas do not tell. */
  readonly milvusVersion: string;
  /** For people, where it is corrupt. */
  readonly problem?: string;
}

const concurrency = 8;

/**
 * The backups below a backup root path, by name. Reads the two small level files of each, never its segments, so a list stays
 * quick however large the backups are. One that is corrupt is listed as such and hides no other.
 * @param options.incomplete also those without `full_meta.json`
 */
export async function listBackups(
  store: ObjectStore,
  rootPath: string,
  options: { incomplete?: boolean } = {},
): Promise<BackupSummary[]> {
  const root = backupsRoot(rootPath);
  const names = (await store.listDirectories(root)).map((directory) => directory.slice(root.length, -1));
  const limit = pLimit(concurrency);
  const summaries = await Promise.all(names.map((name) => limit(() => summarize(store, rootPath, name))));
  return summaries
    .filter((summary) => summary !== undefined)
    .filter((summary) => options.incomplete || summary.state !== "incomplete");
}

/** undefined for a directory that is no backup. */
async function summarize(store: ObjectStore, rootPath: string, name: string): Promise<BackupSummary | undefined> {
  const layout = backupLayout(rootPath, name);
  const unknown = { name, collections: [], size: 0n, milvusVersion: "" };
  if ((await store.head(layout.meta.full_meta)) === undefined) {
    return (await looksLikeBackup(store, layout)) ? { ...unknown, state: "incomplete" } : undefined;
  }
  try {
    return { name, state: "complete", ...describe(await readBrief(store, layout)) };
  } catch (error) {
    if (error instanceof PipelineError && error.name === "CorruptBackup") {
      return { ...unknown, state: "corrupt", problem: error.message };
    }
    throw error;
  }
}

/** A root path may be shared with other things: only a directory with metas or binlogs is what a backup left. */
async function looksLikeBackup(store: ObjectStore, layout: ReturnType<typeof backupLayout>): Promise<boolean> {
  const below = await store.listDirectories(layout.root);
  return below.includes(layout.metas) || below.includes(layout.binlogs);
}

type Brief = Pick<BackupInfo, "size" | "milvus_version" | "collection_backups">;

/** Without segments where the level files are there; the whole meta otherwise. */
async function readBrief(store: ObjectStore, layout: ReturnType<typeof backupLayout>): Promise<Brief> {
  const [backup, collections] = await Promise.all([
    textOrAbsent(store, layout.meta.backup_meta),
    textOrAbsent(store, layout.meta.collection_meta),
  ]);
  if (backup === undefined || collections === undefined) {
    return parseFullMeta(await store.getText(layout.meta.full_meta)).value;
  }
  const { size, milvus_version } = parseFile(backupInfo, backup, "backup_meta.json").value;
  const { infos } = parseFile(collectionLevelInfo, collections, "collection_meta.json").value;
  return { size, milvus_version, collection_backups: infos };
}

function describe(brief: Brief): Pick<BackupSummary, "createdAt" | "collections" | "size" | "milvusVersion"> {
  const createdAt = createdAtOf(brief);
  return {
    ...(createdAt && { createdAt }),
    collections: brief.collection_backups.map(({ db_name, collection_name }) =>
      qualifiedName({ database: db_name, collection: collection_name }),
    ),
    size: brief.size,
    milvusVersion: brief.milvus_version,
  };
}

/** When the last collection was flushed; undefined where no collection tells. */
export function createdAtOf(backup: Pick<BackupInfo, "collection_backups">): Date | undefined {
  const seconds = Math.max(0, ...backup.collection_backups.map((it) => Number(it.backup_physical_timestamp)));
  return seconds > 0 ? new Date(seconds * 1000) : undefined;
}

async function textOrAbsent(store: ObjectStore, key: string): Promise<string | undefined> {
  try {
    return await store.getText(key);
  } catch (error) {
    if (error instanceof PipelineError && error.name === "ObjectNotFound") return undefined;
    throw error;
  }
}
