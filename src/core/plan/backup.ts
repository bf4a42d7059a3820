import type { CopyPrefix } from "../execution/copy-plan.ts";
import type { BackupLayout, MilvusLayout } from "../format/layout.ts";
import type { MadeBySchedule } from "../format/manifest.ts";
import type { LoadState } from "../format/meta.ts";
import type {
  CollectionDescription,
  DatabaseDescription,
  FieldDescription,
  FlushedCollection,
  IndexDescription,
  PartitionDescription,
  SchemaDescription,
  SegmentDescription,
  SegmentLogs,
  SegmentState,
} from "../milvus/descriptions.ts";
import { dynamicFieldId, toCollectionSchema } from "../milvus/schema-mapping.ts";
import { isAtLeast, releases } from "../milvus/version.ts";
import type { SizedSegment } from "./segment-copies.ts";

/** Everything Prepare Backup learned from Milvus; a file in the work bucket that Finalize Backup turns into the metas. */
export interface BackupPlan {
  readonly backupName: string;
  /** One ID for the whole backup, as milvus-backup writes it into every collection record: a UUID. */
  readonly backupId: string;
  readonly attempt: number;
  readonly milvusVersion: string;
  readonly databases: readonly DatabaseDescription[];
  readonly collections: readonly PlannedCollection[];
  readonly warnings: readonly string[];
  /** Absent where no schedule started it. */
  readonly schedule?: MadeBySchedule;
  /** For progress displays. */
  readonly totals: { readonly collections: number; readonly segments: number; readonly rows: string };
}

export interface PlannedCollection {
  readonly description: CollectionDescription;
  readonly partitions: readonly PlannedPartition[];
  readonly indexes: readonly IndexDescription[];
  readonly loadState: LoadState;
  /** Absent where nothing was flushed (skip_flush, meta_only). */
  readonly flushed?: FlushedCollection;
  readonly segments: readonly PlannedSegment[];
}

export interface PlannedPartition extends PartitionDescription {
  readonly loadState: LoadState;
}

export interface PlannedSegment {
  readonly id: string;
  readonly partitionId: string;
  /** Decimal. */
  readonly rows: string;
  readonly isL0: boolean;
  readonly storageVersion: string;
  /** "" where Milvus does not tell (before 2.5.8). */
  readonly virtualChannel: string;
}

/** Milvus reports load progress in percent; the backup format knows three states. */
export function loadStateOf(progressPercent: number): LoadState {
  if (progressPercent <= 0) return "NotLoad";
  return progressPercent >= 100 ? "Loaded" : "Loading";
}

const neverInABackup: ReadonlySet<SegmentState> = new Set(["Growing", "Dropped", "Importing", "Unknown"]);

/**
 * The segments a backup consists of: what Milvus lists as flushed or flushing, plus the sealed ones the flush named. Segments
 * that are growing, importing or dropped never belong to it; a segment without rows holds nothing (an L0 segment's rows are its
 * deletes).
 */
export function selectSegments(
  listed: readonly SegmentDescription[],
  flushedIds: ReadonlySet<string>,
): SegmentDescription[] {
  return listed.filter((segment) => {
    if (neverInABackup.has(segment.state)) return false;
    if (segment.state === "Sealed" && !flushedIds.has(segment.id)) return false;
    return segment.rows > 0n || segment.isL0;
  });
}

/** Row ID and timestamp: Milvus keeps them beside the user's fields. */
const systemFieldIds: readonly string[] = ["0", "1"];

/**
 * The fields of which every segment with rows has logs; undefined where nobody can tell: fields can be added to a collection since
 * Milvus 2.6 (older segments have no logs of them), and its storage v2 keeps several fields in one log.
 */
export function expectedFieldIds(version: string, schema: SchemaDescription): string[] | undefined {
  if (isAtLeast(version, releases.addField)) return undefined;
  // Described or not, the dynamic field has logs.
  const dynamic = dynamicFieldId(toCollectionSchema(schema))?.toString();
  const ids = [...systemFieldIds, ...schema.fields.map(({ fieldId }) => fieldId), ...(dynamic ? [dynamic] : [])];
  return [...new Set(ids)];
}

/** Bytes of one value by Milvus's type number; for estimates only. */
const fixedWidths: Readonly<Record<number, number>> = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 10: 4, 11: 8 };
const bytesPerDimension: Readonly<Record<number, number>> = { 100: 1 / 8, 101: 4, 102: 2, 103: 2, 105: 1 };
const variableWidthGuess = 64;

/** Roughly how many bytes a row takes in the binlogs; only to spread segments over batches. */
export function estimateRowBytes(fields: readonly FieldDescription[]): number {
  const systemFields = 16;
  return fields.reduce((sum, field) => {
    const perDimension = bytesPerDimension[field.dataType];
    if (perDimension !== undefined) {
      const dimension = field.typeParams.find(({ key }) => key === "dim")?.value ?? "128";
      return sum + Number.parseInt(dimension, 10) * perDimension;
    }
    return sum + (fixedWidths[field.dataType] ?? variableWidthGuess);
  }, systemFields);
}

/**
 * The copies of a collection's segments out of Milvus's bucket.
 * @param logs the exact logs of segments, where Milvus names them (2.5.8+): of the others, what lies there is copied
 */
export function planSegmentCopies(
  collection: PlannedCollection,
  logs: ReadonlyMap<string, SegmentLogs>,
  { from, to, version }: { from: MilvusLayout; to: BackupLayout; version: string },
): SizedSegment[] {
  const collectionId = collection.description.id;
  const rowBytes = estimateRowBytes(collection.description.schema.fields);
  const fieldIds = expectedFieldIds(version, collection.description.schema);
  return collection.segments.map((segment) => {
    const path = { collectionId, partitionId: segment.partitionId, segmentId: segment.id };
    const exact = logs.get(segment.id);
    const insert: CopyPrefix = {
      kind: "insert",
      from: from.insertLogs(path),
      to: to.insertLogs({ ...path, groupId: segment.id }),
      ...(exact && {
        only: exact.insertLogs.flatMap(({ fieldId, logIds }) => logIds.map((logId) => `${fieldId}/${logId}`)),
      }),
    };
    const delta: CopyPrefix = {
      kind: "delta",
      from: from.deltaLogs(path),
      to: to.deltaLogs({ ...path, groupId: segment.id }),
      ...(exact && { only: exact.deltaLogs.flatMap(({ logIds }) => [...logIds]) }),
    };
    return {
      segment: {
        ...path,
        rows: segment.rows,
        isL0: segment.isL0,
        // Where Milvus names a segment's exact logs, there is nothing to guess.
        ...(fieldIds && !exact && !segment.isL0 && { fieldIds }),
        prefixes: segment.isL0 ? [delta] : [insert, delta],
      },
      bytes: Number(segment.rows) * rowBytes,
    };
  });
}
