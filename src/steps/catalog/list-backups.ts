import { PipelineError } from "../../core/execution/errors.ts";
import { settleAll, settleEach } from "../../core/execution/settle.ts";
import { exactCount } from "../../core/format/exact-count.ts";
import type { VerificationProof } from "../../core/format/proof.ts";
import type { Instant } from "../../core/milvus/instant.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { readVerification } from "../shared/proofs.ts";
import { type BriefBackup, type Instants, type StoredBackup, storedBackups } from "../shared/stored-backup.ts";
import { ownBytesIfKnown } from "../shared/sweep-segments.ts";

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
  /** At which instants its collections were cut; empty where nobody knows (milvus-backup, skip_flush). */
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
  const stored = await storedBackups(store, { rootPath });
  const summaries = await settleEach(stored, concurrency, summarize);
  const complete = new Set(summaries.flatMap((summary) => (summary?.state === "complete" ? [summary.name] : [])));
  const own = await ownBytesIfKnown(stored.filter(({ name }) => complete.has(name)));
  return summaries
    .filter((summary) => summary !== undefined)
    .filter((summary) => options.incomplete || summary.state !== "incomplete")
    .map((summary) => {
      const bytes = summary.state === "complete" ? own.get(summary.name) : undefined;
      return { ...summary, ...(bytes !== undefined && { ownBytes: bytes }) };
    });
}

/** undefined for a directory that is no backup. */
async function summarize(stored: StoredBackup): Promise<BackupSummary | undefined> {
  const { name } = stored;
  const incremental = stored.layout.source !== undefined;
  const unknown = { name, collections: [], instants: [], size: 0n, incremental, milvusVersion: "" };
  if ((await stored.committed()) === undefined) {
    return (await stored.looksLikeBackup()) ? { ...unknown, state: "incomplete" } : undefined;
  }
  try {
    const [brief, verified] = await settleAll([stored.readBrief(), readVerification(stored)]);
    const described = describe(brief, await stored.readInstants(brief.id));
    return { name, state: "complete", incremental, ...described, ...(verified && { verified }) };
  } catch (error) {
    if (error instanceof PipelineError && error.name === "CorruptBackup") {
      return { ...unknown, state: "corrupt", problem: error.message };
    }
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
    size: BigInt(exactCount(brief.size, "its bytes")),
    milvusVersion: brief.milvus_version,
  };
}

/** When the last collection was flushed; undefined where no collection tells. */
export function createdAtOf(backup: Pick<BriefBackup, "collection_backups">): Date | undefined {
  const seconds = Math.max(0, ...backup.collection_backups.map((it) => Number(it.backup_physical_timestamp)));
  return seconds > 0 ? new Date(seconds * 1000) : undefined;
}
