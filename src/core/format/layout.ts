import { shortHash } from "../execution/deterministic-id.ts";

/**
 * The one place that knows keys of backups, of Milvus's own bucket and of the staging area. Root paths come without slashes at
 * their ends and may be empty; IDs are decimal; every prefix ends in `/`, no key starts with one.
 */
interface SegmentPath {
  readonly collectionId: string;
  /** `-1` for an L0 segment of all partitions. */
  readonly partitionId: string;
  readonly segmentId: string;
}

/** A segment in a backup: below its group's directory, or without one where the group is `0` (backups before v0.4). */
export interface BackupSegmentPath extends SegmentPath {
  readonly groupId: string;
}

export const allPartitions = "-1";
const noGroup = "0";

export const metaFileNames = ["backup_meta", "collection_meta", "partition_meta", "segment_meta", "full_meta"] as const;
export type MetaFileName = (typeof metaFileNames)[number];

/** What the segments of incremental backups lie in, below the backup root path: no backup can have this name. */
export const sharedSegmentsName = "milvus-backup-segments";

/**
 * Keys of one backup below an environment's backup root path.
 *
 * An incremental one keeps its insert logs in a place that it shares with the others of the same Milvus, and its metas where no other
 * reader looks for them: `meta/` is what milvus-backup goes by.
 * @param source which Milvus an incremental backup is of (`sourceIdOf`); absent for a plain one
 */
export function backupLayout(rootPath: string, name: string, source?: string) {
  const root = directory(rootPath, name);
  const own = source === undefined ? root : `${root}incremental/${source}/`;
  const metas = source === undefined ? `${root}meta/` : own;
  const shared = source === undefined ? undefined : sharedLayout(rootPath, source);
  const inserts = shared?.insertLogs ?? `${root}binlogs/insert_log/`;
  const metaKey = (file: MetaFileName) => `${metas}${file}.json`;
  const group = ({ partitionId, groupId }: { partitionId: string; groupId: string }) =>
    groupId === noGroup || partitionId === allPartitions ? [] : [groupId];
  const insertLogs = (path: BackupSegmentPath) =>
    directory(inserts, path.collectionId, path.partitionId, ...group(path), path.segmentId);
  const deltaLogs = (path: BackupSegmentPath) =>
    directory(root, "binlogs/delta_log", path.collectionId, path.partitionId, ...group(path), path.segmentId);
  const above = directory(rootPath);
  return {
    root,
    /** Which Milvus an incremental backup is of; undefined for a plain one. */
    source,
    /** Where the insert logs lie that an incremental backup shares with others; undefined for a plain one. */
    shared,
    /** Where all logs lie that are the backup's alone. */
    binlogs: `${root}binlogs/`,
    metas,
    /** `full_meta` is the commit record: nothing else may have its key as a prefix, readers probe for it by prefix. */
    meta: {
      backup_meta: metaKey("backup_meta"),
      collection_meta: metaKey("collection_meta"),
      partition_meta: metaKey("partition_meta"),
      segment_meta: metaKey("segment_meta"),
      full_meta: metaKey("full_meta"),
    } satisfies Record<MetaFileName, string>,
    /** Our checksums of everything in the backup (manifest.ts); other readers skip it. */
    manifest: `${own}milvus-backup-manifest.json`,
    /** Who signed that manifest (signature.ts); other readers skip it. */
    signature: `${own}milvus-backup-signature.json`,
    /** Where all parts of the manifest lie. */
    manifestParts: `${own}manifest/`,
    /** Part `part` (from 0) of a collection's list of objects. */
    manifestPart: (collectionId: string, part: number) => `${own}manifest/${collectionId}-${part}.jsonl`,
    /** What the last verification and the last drill of the backup said (proof.ts); other readers skip both. */
    verified: `${own}milvus-backup-verified.json`,
    drilled: `${own}milvus-backup-drilled.json`,
    /** Who writes or deletes this backup (claim.ts); gone once it is complete. */
    claim: `${root}milvus-backup-claim.json`,
    insertLogs,
    deltaLogs,
    /** Where the insert logs of a collection lie, with those of other backups where they are shared. */
    collectionInsertLogs: (collectionId: string) => directory(inserts, collectionId),
    /** The directories an import can read in place: their children are segments. Without a group that is the partition's. */
    insertGroup: (path: Omit<BackupSegmentPath, "segmentId">) =>
      directory(inserts, path.collectionId, path.partitionId, ...group(path)),
    deltaGroup: (path: Omit<BackupSegmentPath, "segmentId">) =>
      directory(root, "binlogs/delta_log", path.collectionId, path.partitionId, ...group(path)),
    /**
     * A key as the manifest has it, relative to the backup's root: `binlogs/...`, `../milvus-backup-segments/...`.
     * @throws RangeError for a key that is none of the backup's
     */
    relative(key: string): string {
      if (key.startsWith(root)) return key.slice(root.length);
      if (shared !== undefined && key.startsWith(shared.root)) return `../${key.slice(above.length)}`;
      throw new RangeError(`${key} does not lie below ${root}`);
    },
    /** The key of what the manifest names. */
    absolute(relative: string): string {
      return relative.startsWith("../") ? above + relative.slice(3) : root + relative;
    },
  };
}
export type BackupLayout = ReturnType<typeof backupLayout>;

/** Where the incremental backups of a backup root are among a backup's own files: one directory a source. */
export function incrementalsOf(rootPath: string, name: string): string {
  return directory(rootPath, name, "incremental");
}

/** Where the segments lie that all incremental backups of one Milvus share, and who says there that it uses them. */
export function sharedLayout(rootPath: string, source: string) {
  const root = directory(rootPath, sharedSegmentsName, source);
  return {
    root,
    /** Which Milvus these segments are of (shared-segments.ts). */
    record: `${root}source.json`,
    insertLogs: `${root}insert_log/`,
    /** Who may name segments that no committed backup names: one claim an execution. */
    claims: `${root}claims/`,
    claim: (executionArn: string) => `${root}claims/${shortHash(executionArn)}.json`,
    /** Who removes segments that nothing names. */
    sweep: `${root}sweep.json`,
  };
}
export type SharedLayout = ReturnType<typeof sharedLayout>;

/** Where the shared segments of all sources lie below a backup root path. */
export function sharedSegmentsRoot(rootPath: string): string {
  return directory(rootPath, sharedSegmentsName);
}

/** Names the Milvus whose segments incremental backups share: IDs are unique within one Milvus only. 12 hex digits. */
export function sourceIdOf(milvus: {
  readonly store: string;
  readonly bucket: string;
  readonly rootPath: string;
}): string {
  return shortHash(milvus.store, milvus.bucket, directory(milvus.rootPath));
}

const commitRecordKey = /^(.*)\/(?:meta|incremental\/([0-9a-f]+))\/full_meta\.json$/;

/**
 * The directory of the backup that a key commits, and which Milvus it is of where it is an incremental one; undefined for the key of
 * anything but a commit record.
 */
export function committedBackupOf(key: string): { readonly root: string; readonly source?: string } | undefined {
  const [, root, source] = commitRecordKey.exec(key) ?? [];
  return root === undefined ? undefined : { root, ...(source !== undefined && { source }) };
}

/** What events are matched with: the keys of commit records below a backup root path, plain and incremental. */
export function commitRecordPatterns(rootPath: string): string[] {
  return [backupLayout(rootPath, "*").meta.full_meta, backupLayout(rootPath, "*", "*").meta.full_meta];
}

/**
 * The keys of what is kept about backups beside their logs and metas, below any backup root path, as permissions name them: what stays, and
 * what is also taken away.
 */
export const besideBackups = {
  kept: ["*/milvus-backup-manifest.json"],
  removable: ["*/manifest/*.jsonl", "*/milvus-backup-verified.json", "*/milvus-backup-claim.json"],
} as const;

/** The keys of what drills say beside backups, likewise. */
export const drilledPattern = "*/milvus-backup-drilled.json";

/** What a report of all backups is called that is written beside them: a file, where backups are directories. */
export const reportName = "milvus-backup-report.html";

/** The key of that report. */
export function reportKey(rootPath: string): string {
  return directory(rootPath) + reportName;
}

/** Where the backups of an environment lie: one directory each. */
export function backupsRoot(rootPath: string): string {
  return directory(rootPath);
}

/** Keys of Milvus's own bucket. */
export function milvusLayout(rootPath: string) {
  return {
    root: directory(rootPath),
    insertLogs: (path: SegmentPath) =>
      directory(rootPath, "insert_log", path.collectionId, path.partitionId, path.segmentId),
    deltaLogs: (path: SegmentPath) =>
      directory(rootPath, "delta_log", path.collectionId, path.partitionId, path.segmentId),
    /** Everything of one collection. */
    collectionInsertLogs: (collectionId: string) => directory(rootPath, "insert_log", collectionId),
    collectionDeltaLogs: (collectionId: string) => directory(rootPath, "delta_log", collectionId),
  };
}

export type MilvusLayout = ReturnType<typeof milvusLayout>;

/** All that restores leave in the target's Milvus bucket: what they stage, and who restores into what. */
export const stagingRoot = "milvus-backup-staging/";

/**
 * What a check writes below a root, to take it away again: files, where backups and restores are directories.
 * @param id tells it from another check's
 */
export function probeLayout(root: string, at: Date, id: string) {
  const name = `${probePrefix(root)}${at
    .toISOString()
    .replace(/\.\d+Z$/, "Z")
    .replaceAll(":", "-")}-${id}`;
  return { object: `${name}-object`, upload: `${name}-upload`, copy: `${name}-copy`, locked: `${name}-locked` };
}

/** What the keys of all probes below a root begin with. */
export function probePrefix(root: string): string {
  return `${root}milvus-backup-check-`;
}

/** When a probe was written; undefined for the key of something else. */
export function probeTime(root: string, key: string): Date | undefined {
  if (!key.startsWith(probePrefix(root))) return undefined;
  const [, day, hour, minute, second] =
    /^(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d)Z-[0-9a-f]+-(?:object|upload|copy|locked)$/.exec(
      key.slice(probePrefix(root).length),
    ) ?? [];
  const time = new Date(`${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time.getTime()) ? undefined : time;
}

/**
 * Where a restore puts the segments it imports, in the target's Milvus bucket but outside of Milvus's root path, so that
 * Milvus's garbage collection leaves it alone.
 */
export function stagingLayout(restoreId: string) {
  const root = directory(stagingRoot, restoreId);
  return {
    /** Everything of this restore: deleted when it is over. */
    root,
    /**
     * One import task of Milvus 2.2 and 2.3: `insert` and `delta` are its two paths, and their children are the segments.
     * @param task number of the task within the restore
     * @param contents what lies in it, where its number does not tell: another plan of the same task has another directory
     */
    task(task: number, partition: Omit<SegmentPath, "segmentId">, contents: readonly string[] = []) {
      const name = contents.length === 0 ? `t${task}` : `t${task}-${shortHash(...contents)}`;
      const insert = directory(root, name, "insert_log", partition.collectionId, partition.partitionId);
      const delta = directory(root, name, "delta_log", partition.collectionId, partition.partitionId);
      return {
        insert,
        delta,
        insertLogs: (segmentId: string) => directory(insert, segmentId),
        deltaLogs: (segmentId: string) => directory(delta, segmentId),
      };
    },
    /**
     * One pair of a REST import job (2.4+), and one L0 segment: a segment alone below a directory of its own, as in a backup.
     * `insert` and `delta` are the pair; the logs go to `insertLogs` and `deltaLogs`.
     */
    pair(task: number, path: SegmentPath) {
      const parent = [path.collectionId, path.partitionId, path.segmentId];
      const insert = directory(root, `t${task}`, "insert_log", ...parent);
      const delta = directory(root, `t${task}`, "delta_log", ...parent);
      return {
        insert,
        delta,
        insertLogs: directory(insert, path.segmentId),
        deltaLogs: directory(delta, path.segmentId),
      };
    },
  };
}
/**
 * Where deployments that restore into one Milvus tell each other of it: beside what they stage, in the target's Milvus bucket, which is
 * all they share.
 * @param rootPath of Milvus in that bucket; it tells two Milvus apart that share one, and is the same from wherever Milvus is reached
 */
export function targetsLayout(rootPath: string) {
  const root = directory(stagingRoot, "targets", shortHash(directory(rootPath)));
  return {
    /** Who restores into a collection, and what was restored there last (target-lease.ts). */
    lease: (target: string) => `${root}${target}.json`,
    /** The claim by which an execution says that it goes on, for all its targets. */
    pulse: (executionArn: string) => `${root}pulse-${shortHash(executionArn)}.json`,
  };
}

export type StagingLayout = ReturnType<typeof stagingLayout>;

/** What a key of a log says about it; below Milvus's root, a backup or a staging directory alike. */
export interface LogKey extends BackupSegmentPath {
  readonly kind: "insert" | "delta";
  /** Only insert logs have one: `0` row ID, `1` timestamp, `100` and up the user's. */
  readonly fieldId?: string;
  readonly logId: string;
}

const insertLogKey = /(?:^|\/)insert_log\/(\d+)\/(\d+)\/(?:(\d+)\/)?(\d+)\/(\d+)\/(\d+)$/;
const deltaLogKey = /(?:^|\/)delta_log\/(\d+)\/(-1|\d+)\/(?:(\d+)\/)?(\d+)\/(\d+)$/;

/** Reads the key of an insert or delta log; undefined for any other key. `groupId` is `0` where the key has no group. */
export function parseLogKey(key: string): LogKey | undefined {
  const insert = insertLogKey.exec(key);
  if (insert) {
    const [, collectionId = "", partitionId = "", groupId = noGroup, segmentId = "", fieldId = "", logId = ""] = insert;
    return { kind: "insert", collectionId, partitionId, groupId, segmentId, fieldId, logId };
  }
  const delta = deltaLogKey.exec(key);
  if (!delta) return undefined;
  const [, collectionId = "", partitionId = "", groupId = noGroup, segmentId = "", logId = ""] = delta;
  return { kind: "delta", collectionId, partitionId, groupId, segmentId, logId };
}

function directory(...parts: readonly string[]): string {
  const path = parts.map((part) => part.replace(/^\/+|\/+$/g, "")).filter((part) => part !== "");
  return path.length === 0 ? "" : `${path.join("/")}/`;
}
