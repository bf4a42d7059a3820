import {
  type BackupWith,
  type CollectionWith,
  type PartitionWith,
  type SegmentBackup,
  segmentsOf,
} from "../../src/core/format/meta.ts";
import { qualifiedName } from "../../src/core/milvus/names.ts";
import type { IncrementalBackup } from "../../src/steps/catalog/get-backup.ts";
import { createdAtOf } from "../../src/steps/catalog/list-backups.ts";
import type { Instants } from "../../src/steps/shared/stored-backup.ts";
import { countOf, formatBytes, formatCount, formatInstant, formatTime } from "./format.ts";
import { formatPairs, formatTable } from "./table.ts";

/** What is counted of a segment. */
type CountedSegment = Pick<SegmentBackup, "is_l0" | "num_of_rows">;

/** What `get` answers: a backup without its segments. IDs are decimal text; rows and bytes are numbers of up to 64 bits. */
export type BackupDocument = ReturnType<typeof backupDocument>;

/** Sums a backup up. Rows are those in the segments: deletes are not subtracted. */
export function backupDocument(
  {
    backup,
    complete,
    instants,
    incremental,
  }: {
    readonly backup: BackupWith<CountedSegment>;
    readonly complete: boolean;
    readonly instants: Instants;
    readonly incremental?: IncrementalBackup;
  },
  location: string,
) {
  const createdAt = createdAtOf(backup);
  return {
    name: backup.name,
    id: backup.id,
    complete,
    location,
    milvusVersion: backup.milvus_version,
    ...(createdAt && { createdAt: createdAt.toISOString() }),
    bytes: backup.size,
    /** Absent for a plain one. */
    ...(incremental && { incremental }),
    databases: backup.database_backups.map(({ db_name }) => db_name),
    collections: backup.collection_backups.map((collection) => describeCollection(collection, instants)),
  };
}

function describeIncremental({ newObjects, newBytes, ownBytes }: IncrementalBackup): string {
  const own = ownBytes === undefined ? "" : `; deleting it would free ${formatBytes(ownBytes)}`;
  return `${countOf(newObjects, "object")} of ${formatBytes(newBytes)} were new${own}`;
}

function describeCollection(collection: CollectionWith<CountedSegment>, instants: Instants) {
  const segments = segmentsOf(collection);
  const instant = instants.get(String(collection.collection_id))?.instant;
  return {
    name: qualifiedName({ database: collection.db_name, collection: collection.collection_name }),
    id: String(collection.collection_id),
    /** The collection as it was then; absent where nobody knows. */
    ...(instant && { instant }),
    rows: rowsOf(segments),
    segments: segments.length,
    bytes: collection.size,
    loadState: collection.load_state || "NotLoad",
    aliases: collection.aliases,
    indexes: collection.index_infos.map(({ field_name, index_name, index_type }) => ({
      field: field_name,
      name: index_name,
      type: index_type,
    })),
    partitions: collection.partition_backups.map(describePartition),
  };
}

function describePartition(partition: PartitionWith<CountedSegment>) {
  return {
    name: partition.partition_name,
    id: String(partition.partition_id),
    rows: rowsOf(partition.segment_backups),
    segments: partition.segment_backups.length,
    bytes: partition.size,
  };
}

/** An L0 segment's rows are deletes. */
function rowsOf(segments: readonly CountedSegment[]): bigint {
  return segments.reduce((sum, segment) => sum + (segment.is_l0 ? 0n : segment.num_of_rows), 0n);
}

/** The document as text: a head, then a line a collection with its partitions below. */
export function formatBackup(document: BackupDocument): string {
  const head = formatPairs(
    [
      ["name", document.complete ? document.name : `${document.name} (incomplete: no full_meta.json)`],
      ["created", document.createdAt === undefined ? undefined : formatTime(new Date(document.createdAt))],
      ["milvus", document.milvusVersion || undefined],
      ["size", formatBytes(document.bytes)],
      ["incremental", document.incremental && describeIncremental(document.incremental)],
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
        collection.name,
        collection.instant ? formatInstant(new Date(collection.instant.time)) : "-",
        formatCount(collection.rows),
        formatCount(collection.segments),
        formatBytes(collection.bytes),
        collection.loadState === "NotLoad" ? "no" : collection.loadState === "Loaded" ? "yes" : "loading",
        collection.indexes.map(({ field, type }) => `${field} ${type}`).join(", ") || "-",
        collection.aliases.join(", ") || "-",
      ],
      ...collection.partitions.map((partition) => [
        `  ${partition.name}`,
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
