import { PipelineError } from "../../core/execution/errors.ts";
import type { ObjectLock } from "../../core/execution/object-lock.ts";
import { settleAll } from "../../core/execution/settle.ts";
import { exactCount } from "../../core/format/exact-count.ts";
import type { MadeBySchedule, ManifestIndex } from "../../core/format/manifest.ts";
import type { DrillProof, VerificationProof } from "../../core/format/proof.ts";
import type { Instant } from "../../core/milvus/instant.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import type { ObjectStore, ObjectSummary } from "../../ports/object-store.ts";
import { claimOf } from "../shared/backup-claim.ts";
import { commitLock, mayHoldLocks } from "../shared/locks.ts";
import { readDrill, readVerification } from "../shared/proofs.ts";
import type { BriefBackup, Instants, StoredBackup } from "../shared/stored-backup.ts";
import { ownBytesIfKnown } from "../shared/sweep-segments.ts";
import { type BackupFiles, eachBackup, lookAtBackups } from "./backup-files.ts";
import { type UnfinishedState, unfinishedState } from "./unfinished-backup.ts";

/** One line of a list of backups. */
export interface BackupSummary {
  readonly name: string;
  /** As its metas have it; "" where they cannot be read. */
  readonly id: string;
  /**
   * - `complete`: it has its commit record, `full_meta.json`
   * - `corrupt`: it has one, and its metas cannot be read
   * - the others: it has none
   */
  readonly state: "complete" | "corrupt" | UnfinishedState;
  /** When the last of its collections was flushed; absent where the metas do not tell (an empty backup, skip_flush). */
  readonly createdAt?: Date;
  /** `db.coll`, in the backup's order. */
  readonly collections: readonly string[];
  /** At which instants its collections were cut; empty where nobody knows (milvus-backup, skip_flush), and where that was not asked for. */
  readonly instants: readonly (Instant & { readonly collection: string })[];
  /** Bytes of all logs, below 2^53. */
  readonly size: bigint;
  /** true: its segments lie where other backups share them. */
  readonly incremental: boolean;
  /** Of an incremental one: bytes of logs that no other backup names, which deleting it would free; absent where they are too many to count. */
  readonly ownBytes?: number;
  /** As the server said it: `v2.3.5-lite`; "" where the metas do not tell. */
  readonly milvusVersion: string;
  /** What the last verification of it said, and the last good one; absent where there was none. */
  readonly verified?: VerificationProof;
  /** The same of drills. */
  readonly drilled?: DrillProof;
  /** Which schedule made it; absent where none did, nobody knows, or instants were not asked for. */
  readonly schedule?: MadeBySchedule;
  /** ISO 8601: when it was begun, as our manifest has it; absent as the schedule is. */
  readonly begunAt?: string;
  /** Until when it is not deleted; absent where it is not locked, or nobody looked. */
  readonly lock?: ObjectLock;
  /** For people: why it is corrupt, or why nobody can tell its instants, as its manifest cannot be read. */
  readonly problem?: string;
}

interface ListOptions {
  /** The time: also those without `full_meta.json` are listed, by who works on them then. */
  readonly incompleteAt?: Date;
  /** false: nobody asks for the instants, and the manifests that have them are not read. */
  readonly instants?: boolean;
  /** The time; absent: nobody asks for locks. */
  readonly now?: Date;
}

/**
 * The backups below a backup root path, by name. Reads the commit record of each where that is small, otherwise its two small level files, and
 * the manifest: a list stays quick however large the backups are. One that is corrupt is listed as such and hides no other.
 */
export async function listBackups(
  store: ObjectStore,
  rootPath: string,
  options: ListOptions = {},
): Promise<BackupSummary[]> {
  const [looked, holdsLocks] = await settleAll([
    lookAtBackups(store, { rootPath }),
    // asked once: in other buckets no backup's lock is asked for
    options.now === undefined ? Promise.resolve(false) : mayHoldLocks(store),
  ]);
  const asked = holdsLocks ? options : { ...options, now: undefined };
  const summaries = await eachBackup(looked, (backup) => summarizeIfThere(backup, asked));
  const complete = new Set(summaries.flatMap((summary) => (summary?.state === "complete" ? [summary.name] : [])));
  const own = await ownBytesIfKnown(looked.map(({ stored }) => stored).filter(({ name }) => complete.has(name)));
  return summaries
    .filter((summary) => summary !== undefined)
    .map((summary) => {
      const bytes = summary.state === "complete" ? own.get(summary.name) : undefined;
      return { ...summary, ...(bytes !== undefined && { ownBytes: bytes }) };
    });
}

type AskedOptions = Omit<ListOptions, "now"> & { readonly now?: Date | undefined };

/** undefined, as for a directory that is no backup, also for one that is deleted just now. */
async function summarizeIfThere(backup: BackupFiles, options: AskedOptions): Promise<BackupSummary | undefined> {
  try {
    return await summarize(backup, options);
  } catch (error) {
    if (error instanceof PipelineError && error.name === "BackupNotFound") return undefined;
    throw error;
  }
}

/** undefined for a directory that is no backup, and for an incomplete one where those are not asked for. */
async function summarize(
  { stored, files }: BackupFiles,
  { incompleteAt, instants = true, now }: AskedOptions,
): Promise<BackupSummary | undefined> {
  const { name, layout } = stored;
  const incremental = layout.source !== undefined;
  const unknown = { name, id: "", collections: [], instants: [], size: 0n, incremental, milvusVersion: "" };
  if (!files.has(layout.meta.full_meta)) {
    if (incompleteAt === undefined || !(await stored.looksLikeBackup())) return undefined;
    const claim = files.has(layout.claim) ? await claimOf(stored) : undefined;
    return { ...unknown, state: unfinishedState(claim, incompleteAt) };
  }
  const [brief, manifest, verified, drilled, lock] = await settleAll([
    unlessCorrupt(() => readCounted(stored, files.get(layout.meta.full_meta))),
    unlessCorrupt(async () => (instants && files.has(layout.manifest) ? stored.readManifest() : undefined)),
    files.has(layout.verified) ? readVerification(stored) : Promise.resolve(undefined),
    files.has(layout.drilled) ? readDrill(stored) : Promise.resolve(undefined),
    now === undefined ? Promise.resolve(undefined) : commitLock(stored, now),
  ]);
  if (brief.value === undefined) return { ...unknown, state: "corrupt", ...brief };
  const { id } = brief.value;
  const cuts = manifest.problem ? manifest : await unlessCorrupt(async () => stored.instantsOf(manifest.value, id));
  const problem = cuts.problem !== undefined && { problem: cuts.problem };
  const described = describe(brief.value, cuts.value ?? new Map());
  return {
    ...{ name, id, state: "complete", incremental },
    ...described,
    ...madeBy(manifest.value, id),
    ...(verified && { verified }),
    ...(drilled && { drilled }),
    ...(lock && { lock }),
    ...problem,
  };
}

/** Of a manifest that is this backup's: one that somebody left beside another backup says nothing of it. */
function madeBy(manifest: ManifestIndex | undefined, backupId: string): Pick<BackupSummary, "schedule" | "begunAt"> {
  if (manifest?.backupId !== backupId) return {};
  return { begunAt: manifest.created, ...(manifest.schedule && { schedule: manifest.schedule }) };
}

async function readCounted(stored: StoredBackup, committed: ObjectSummary | undefined): Promise<BriefBackup> {
  const brief = await stored.readBrief(committed);
  exactCount(brief.size, `the bytes of backup ${stored.name}`);
  return brief;
}

async function unlessCorrupt<T>(
  read: () => Promise<T>,
): Promise<
  { readonly value: T; readonly problem?: undefined } | { readonly value?: undefined; readonly problem: string }
> {
  try {
    return { value: await read() };
  } catch (error) {
    if (error instanceof PipelineError && error.name === "CorruptBackup") return { problem: error.message };
    throw error;
  }
}

function describe(
  brief: BriefBackup,
  instants: Instants,
): Pick<BackupSummary, "createdAt" | "collections" | "instants" | "size" | "milvusVersion"> {
  const createdAt = createdAtOf(brief);
  return {
    ...(createdAt && { createdAt }),
    collections: brief.collection_backups.map(({ db_name, collection_name }) =>
      qualifiedName({ database: db_name, collection: collection_name }),
    ),
    instants: brief.collection_backups.flatMap(({ db_name, collection_name, collection_id }) => {
      const cut = instants.get(collection_id.toString());
      return cut
        ? [{ collection: qualifiedName({ database: db_name, collection: collection_name }), ...cut.instant }]
        : [];
    }),
    size: brief.size,
    milvusVersion: brief.milvus_version,
  };
}

/** When the last collection was flushed; undefined where no collection tells. */
export function createdAtOf(backup: Pick<BriefBackup, "collection_backups">): Date | undefined {
  const seconds = Math.max(0, ...backup.collection_backups.map((it) => Number(it.backup_physical_timestamp)));
  return seconds > 0 ? new Date(seconds * 1000) : undefined;
}
