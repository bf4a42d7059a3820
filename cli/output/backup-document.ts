import { lockEnd, type ObjectLock } from "../../src/core/execution/object-lock.ts";
import { exactCount } from "../../src/core/format/exact-count.ts";
import {
  type BackupWith,
  type CollectionWith,
  type PartitionWith,
  type SegmentBackup,
  segmentsOf,
} from "../../src/core/format/meta.ts";
import { comparedNothing, type DrillProof, type VerificationProof } from "../../src/core/format/proof.ts";
import { qualifiedName } from "../../src/core/milvus/names.ts";
import { countRbac, fromRbacMeta } from "../../src/core/milvus/rbac.ts";
import type { IncrementalBackup } from "../../src/steps/catalog/get-backup.ts";
import { createdAtOf } from "../../src/steps/catalog/list-backups.ts";
import type { Instants } from "../../src/steps/shared/stored-backup.ts";
import { countOf, formatBytes, formatCount, formatDuration, formatInstant, formatTime } from "./format.ts";
import { rbacText } from "./rbac-text.ts";
import { formatPairs, formatTable } from "./table.ts";
import { tellVerified, verifiedDocument } from "./verified.ts";

/** What is counted of a segment. */
type CountedSegment = Pick<SegmentBackup, "is_l0" | "num_of_rows">;

/** What `get` answers of a backup whose metas are there. */
type BackupDocument = ReturnType<typeof backupDocument>;

/**
 * Sums a backup up. Rows are those in the segments: deletes are not subtracted.
 * @throws CorruptBackup where a count is none
 */
export function backupDocument(
  {
    backup,
    complete,
    instants,
    incremental,
    verified,
    drilled,
    lock,
  }: {
    readonly backup: BackupWith<CountedSegment>;
    readonly complete: boolean;
    readonly instants: Instants;
    readonly incremental?: IncrementalBackup;
    readonly verified?: VerificationProof;
    readonly drilled?: DrillProof;
    readonly lock?: ObjectLock;
  },
  location: string,
) {
  const createdAt = createdAtOf(backup);
  return {
    kind: "backup",
    version: 1,
    state: complete ? "complete" : "incomplete",
    backupName: backup.name,
    id: backup.id,
    location,
    milvusVersion: backup.milvus_version,
    ...(createdAt && { createdAt: createdAt.toISOString() }),
    bytes: exactCount(backup.size, `the bytes of backup ${backup.name}`),
    /** Absent for a plain one. */
    ...(incremental && { incremental }),
    /** Absent where it was never verified. */
    ...(verified && { verified: verifiedDocument(verified) }),
    ...(drilled && { drilled: drilledDocument(drilled) }),
    /** Until when it is not deleted; absent where it is not locked. */
    ...(lock && { lock }),
    /** Of users and roles only how many there are: their passwords belong on no screen. */
    ...(backup.rbac_meta && { rbac: countRbac(fromRbacMeta(backup.rbac_meta)) }),
    databases: backup.database_backups.map(({ db_name }) => db_name),
    collections: backup.collection_backups.map((collection) => describeCollection(collection, instants)),
  } as const;
}

/** How a backup was drilled, as documents have it: without the version of the record. */
export function drilledDocument({ last, lastPassed }: DrillProof) {
  return { last, ...(lastPassed && { lastPassed }) };
}

/** The same in a word: `passed 2026-11-28 13:30:39 UTC`, or `passed 2026-11-28 13:30:39 UTC, no row compared`. */
export function formatDrilled({ last }: Pick<DrillProof, "last">): string {
  const nothing = comparedNothing(last) ? ", no row compared" : "";
  return `${last.outcome} ${formatTime(new Date(last.at))}${nothing}`;
}

function describeDrilled({ last, lastPassed }: Omit<DrillProof, "version">): string {
  if (last.outcome === "passed") {
    const times = last.rtoSeconds === undefined ? "" : `, RTO ${formatDuration(last.rtoSeconds * 1000)}`;
    return `${formatDrilled({ last })} into ${last.environment}${times}`;
  }
  const before = lastPassed === undefined ? "never passed" : `last passed ${formatTime(new Date(lastPassed.at))}`;
  return `${formatDrilled({ last })} into ${last.environment} (${before}): ${last.reason ?? "no reason is known"}`;
}

function describeIncremental({ newObjects, newBytes, ownBytes }: IncrementalBackup): string {
  const own = ownBytes === undefined ? "" : `; deleting it would free ${formatBytes(ownBytes)}`;
  return `${countOf(newObjects, "object")} of ${formatBytes(newBytes)} were new${own}`;
}

function describeCollection(collection: CollectionWith<CountedSegment>, instants: Instants) {
  const segments = segmentsOf(collection);
  const instant = instants.get(String(collection.collection_id))?.instant;
  const name = qualifiedName({ database: collection.db_name, collection: collection.collection_name });
  return {
    collection: name,
    id: String(collection.collection_id),
    /** The collection as it was then; absent where nobody knows. */
    ...(instant && { instant }),
    rows: rowsOf(segments, name),
    segments: segments.length,
    bytes: exactCount(collection.size, `the bytes of ${name}`),
    loadState: collection.load_state || "NotLoad",
    aliases: collection.aliases,
    indexes: collection.index_infos.map(({ field_name, index_name, index_type }) => ({
      index: index_name,
      field: field_name,
      type: index_type,
    })),
    partitions: collection.partition_backups.map((partition) => describePartition(partition, name)),
  };
}

function describePartition(partition: PartitionWith<CountedSegment>, collection: string) {
  return {
    partition: partition.partition_name,
    id: String(partition.partition_id),
    rows: rowsOf(partition.segment_backups, collection),
    segments: partition.segment_backups.length,
    bytes: exactCount(partition.size, `the bytes of a partition of ${collection}`),
  };
}

/** An L0 segment's rows are deletes. */
function rowsOf(segments: readonly CountedSegment[], collection: string): number {
  const rows = segments.reduce((sum, segment) => sum + (segment.is_l0 ? 0n : segment.num_of_rows), 0n);
  return exactCount(rows, `the rows of ${collection}`);
}

/** The document as text: a head, then a line a collection with its partitions below. */
export function formatBackup(document: BackupDocument): string {
  const head = formatPairs(
    [
      ["name", document.backupName + (document.state === "complete" ? "" : " (incomplete: no full_meta.json)")],
      ["created", document.createdAt === undefined ? undefined : formatTime(new Date(document.createdAt))],
      ["milvus", document.milvusVersion || undefined],
      ["size", formatBytes(document.bytes)],
      ["incremental", document.incremental && describeIncremental(document.incremental)],
      ["verified", tellVerified(document.verified)],
      ["drilled", document.drilled && describeDrilled(document.drilled)],
      ["locked", document.lock && `until ${lockEnd(document.lock.until)} (${document.lock.mode})`],
      ["rbac", document.rbac && rbacText(document.rbac)],
      ["lies in", document.location],
    ],
    "",
  );
  if (document.collections.length === 0) return `${head}\n\nIt holds no collections.`;
  const table = formatTable(
    [
      { title: "COLLECTION" },
      { title: "AS OF" },
      { title: "ROWS", align: "right" },
      { title: "SEGMENTS", align: "right" },
      { title: "SIZE", align: "right" },
      { title: "LOADED" },
      { title: "INDEXES" },
      { title: "ALIASES" },
    ],
    document.collections.flatMap((collection) => [
      [
        collection.collection,
        collection.instant ? formatInstant(new Date(collection.instant.time)) : "-",
        formatCount(collection.rows),
        formatCount(collection.segments),
        formatBytes(collection.bytes),
        collection.loadState === "NotLoad" ? "no" : collection.loadState === "Loaded" ? "yes" : "loading",
        collection.indexes.map(({ field, type }) => `${field} ${type}`).join(", ") || "-",
        collection.aliases.join(", ") || "-",
      ],
      ...collection.partitions.map((partition) => [
        `  ${partition.partition}`,
        "",
        formatCount(partition.rows),
        formatCount(partition.segments),
        formatBytes(partition.bytes),
        "",
        "",
        "",
      ]),
    ]),
  );
  return `${head}\n\n${table}`;
}
