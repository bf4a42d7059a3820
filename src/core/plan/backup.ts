import * as z from "zod";
import { type CopyPrefix, copySegment } from "../execution/copy-plan.ts";
import { objectLock } from "../execution/object-lock.ts";
import type { BackupLayout, MilvusLayout } from "../format/layout.ts";
import { madeBySchedule } from "../format/manifest.ts";
import { type LoadState, loadStates } from "../format/meta.ts";
import type {
  CollectionDescription,
  FieldDescription,
  Id,
  IndexDescription,
  SchemaDescription,
  SegmentDescription,
  SegmentLogs,
  SegmentState,
} from "../milvus/descriptions.ts";
import { instant } from "../milvus/instant.ts";
import { dynamicFieldId, toCollectionSchema } from "../milvus/schema-mapping.ts";
import { isAtLeast, releases } from "../milvus/version.ts";
import type { SizedSegment } from "./segment-copies.ts";

/** A description as Milvus's adapter gave it: this pipeline wrote the file, so it is held to what identifies it. */
const described = <T extends { readonly id: Id }>() =>
  z.custom<T>((value) => typeof value === "object" && value !== null && "id" in value && typeof value.id === "string");

const id = z.string().regex(/^-?\d+$/);
const count = z.number().int().min(0);

const plannedSegment = z.object({
  id,
  partitionId: id,
  /** Decimal. */
  rows: z.string(),
  isL0: z.boolean(),
  storageVersion: z.string(),
  /** "" where Milvus does not tell (before 2.5.8). */
  virtualChannel: z.string(),
});
export type PlannedSegment = Readonly<z.infer<typeof plannedSegment>>;

/** What a backup holds of one collection; a file of its own in the work bucket, as a backup may have a thousand collections. */
export const plannedCollection = z.object({
  description: described<CollectionDescription>(),
  partitions: z.array(z.object({ id, name: z.string(), loadState: z.enum(loadStates) })).readonly(),
  indexes: z.array(described<IndexDescription>()).readonly(),
  loadState: z.enum(loadStates),
  /** Absent where nothing was flushed (skip_flush, meta_only). */
  flushed: z
    .object({
      segmentIds: z.array(id).readonly(),
      sealedIds: z.array(id).readonly(),
      timestamp: id,
      channelTimestamp: id,
      sealTime: z.number(),
      channelCheckpoints: z.record(z.string(), z.string()),
    })
    .optional(),
  /** The instant it was cut at; absent where nothing was flushed. */
  instant: instant.optional(),
  segments: z.array(plannedSegment).readonly(),
});
export type PlannedCollection = Readonly<z.infer<typeof plannedCollection>>;

/** A segment so many rows of which lie in others of the backup too; the rest lies in none. */
const partialDouble = z.object({ id, rows: z.string() });
export type PartialDouble = Readonly<z.infer<typeof partialDouble>>;

/** A collection while it is planned: its copies are put into batches when all collections are known. */
export const collectionDraft = z.object({
  collection: plannedCollection,
  copies: z.array(z.object({ segment: copySegment, bytes: z.number() })).readonly(),
  /** Segments that may hold rows of others once more, results of a clustering compaction; absent where there are none. */
  unclear: z.array(id).readonly().optional(),
  partial: z.array(partialDouble).readonly().optional(),
});
export type CollectionDraft = Readonly<z.infer<typeof collectionDraft>>;

/** Which collections a backup is about, as they were selected when it began. */
export const selectedCollections = z.array(
  z.object({
    database: z.string(),
    collection: z.string(),
    /** The input names it: it cannot be left out. */
    named: z.boolean(),
  }),
);
export type SelectedCollection = Readonly<z.infer<typeof selectedCollections>[number]>;

/** Everything Prepare Backup learned from Milvus; Finalize Backup turns it into the metas. */
export const backupPlan = z.object({
  backupName: z.string(),
  /** One ID for the whole backup, as milvus-backup writes it into every collection record: a UUID. */
  backupId: z.string(),
  attempt: count,
  milvusVersion: z.string(),
  databases: z
    .array(
      z.object({
        name: z.string(),
        id,
        properties: z.array(z.object({ key: z.string(), value: z.string() })).readonly(),
      }),
    )
    .readonly(),
  collections: z
    .array(
      z.object({
        id,
        /** `db.coll` */
        name: z.string(),
        /** Number among the selected collections. */
        index: count,
        /** The attempt that planned it: its segments are in that one's batches. A later one plans anew what was torn. */
        attempt: count,
        segments: count,
      }),
    )
    .readonly(),
  warnings: z.array(z.string()).readonly(),
  /** Absent where no schedule started it. */
  schedule: madeBySchedule.optional(),
  /** How everything of the backup is to be locked. */
  lock: objectLock.optional(),
  /** Where the channel of CDC stood when the backup began (2.5); base64. */
  rpcChannel: z.object({ name: z.string(), position: z.string() }).optional(),
  /** Absent where the server was not flushed as a whole: its messages by physical channel, base64, and its channels. */
  serverFlush: z
    .object({
      messages: z.record(z.string(), z.string()),
      controlChannel: z.string(),
      physicalChannels: z.array(z.string()).readonly(),
    })
    .optional(),
  /** For progress displays. */
  totals: z.object({ collections: count, segments: count, rows: z.string() }),
});
export type BackupPlan = Readonly<z.infer<typeof backupPlan>>;
export type PlanEntry = Readonly<BackupPlan["collections"][number]>;

/** The collections whose cut is torn: segments of them vanished under the copy. */
export const tornCollections = z.object({ collectionIds: z.array(id) });

/** Milvus reports load progress in percent; the backup format knows three states. */
export function loadStateOf(progressPercent: number): LoadState {
  if (progressPercent <= 0) return "NotLoad";
  return progressPercent >= 100 ? "Loaded" : "Loading";
}

/** States of segments that a backup never takes. */
export const neverInABackup: ReadonlySet<SegmentState> = new Set(["Growing", "Dropped", "Importing", "Unknown"]);

/**
 * The segments a backup consists of. After a flush those that it named, which hold everything up to its timestamp, and the L0 segments,
 * which it does not name: what was flushed later is no part of the instant. Without one (skip_flush) what Milvus lists as flushed or
 * flushing. A segment without rows holds nothing (an L0 segment's rows are its deletes).
 */
export function selectSegments(
  listed: readonly SegmentDescription[],
  flushedIds: ReadonlySet<string> | undefined,
): SegmentDescription[] {
  return listed.filter((segment) => {
    if (neverInABackup.has(segment.state)) return false;
    if (flushedIds === undefined ? segment.state === "Sealed" : !flushedIds.has(segment.id) && !segment.isL0)
      return false;
    return segment.rows > 0n || segment.isL0;
  });
}

/**
 * The segments that a flush named and a listing right behind it does not show any more: compaction was quicker, and took away rows that
 * deletes after the flush removed. What is listed then is not what was there at the instant.
 */
export function tornSegments(listed: readonly SegmentDescription[], flushedIds: readonly Id[]): Id[] {
  const present = new Set(listed.filter(({ state }) => !neverInABackup.has(state)).map(({ id }) => id));
  return flushedIds.filter((flushed) => !present.has(flushed));
}

const neverWithRows: ReadonlySet<SegmentState> = new Set(["Dropped", "Importing", "Unknown"]);

/**
 * The segments with logs of storage v1 that are listed behind a flush and not named by it: written since, unless rows were on their way. What an
 * import has not ended yet is visible to nobody.
 */
export function unnamedSegments(
  listed: readonly SegmentDescription[],
  flushedIds: ReadonlySet<string>,
): SegmentDescription[] {
  return listed.filter(
    ({ id, isL0, state, storageVersion }) =>
      !isL0 && !flushedIds.has(id) && !neverWithRows.has(state) && storageVersion === "0",
  );
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

/** Types whose values have no fixed width: only a look at what is there tells their size. */
const isVariable = (field: FieldDescription) =>
  fixedWidths[field.dataType] === undefined && bytesPerDimension[field.dataType] === undefined;

/** Whether the bytes of a row can be told from its types alone. */
export function hasFixedWidth({ fields, enableDynamicField, structArrayFields }: SchemaDescription): boolean {
  return !enableDynamicField && structArrayFields.length === 0 && !fields.some(isVariable);
}

/**
 * The copies of a collection's segments out of Milvus's bucket. Delta logs are named one by one: what is flushed after the plan does not
 * belong to its instant, and would take away rows whose successors are not in the backup.
 * @param logs the exact logs of segments, where Milvus names them (2.5.8+): of the others, the insert logs that lie there are copied
 * @param deltaLogs IDs of the delta logs that lay below each segment, by its ID
 * @param rowBytes about how many bytes a row takes, to spread segments over batches
 */
export function planSegmentCopies(
  collection: PlannedCollection,
  {
    logs,
    deltaLogs,
    from,
    to,
    version,
    rowBytes,
  }: {
    readonly logs: ReadonlyMap<string, SegmentLogs>;
    readonly deltaLogs: ReadonlyMap<string, readonly string[]>;
    readonly from: MilvusLayout;
    readonly to: BackupLayout;
    readonly version: string;
    readonly rowBytes: number;
  },
): SizedSegment[] {
  const collectionId = collection.description.id;
  const fieldIds = expectedFieldIds(version, collection.description.schema);
  return collection.segments.map((segment) => {
    const path = { collectionId, partitionId: segment.partitionId, segmentId: segment.id };
    const exact = logs.get(segment.id);
    const insert: CopyPrefix = {
      kind: "insert",
      from: from.insertLogs(path),
      to: to.insertLogs({ ...path, groupId: segment.id }),
      ...(to.shared && { shared: true }),
      ...(exact && {
        only: exact.insertLogs.flatMap(({ fieldId, logIds }) => logIds.map((logId) => `${fieldId}/${logId}`)),
      }),
    };
    const delta: CopyPrefix = {
      kind: "delta",
      from: from.deltaLogs(path),
      to: to.deltaLogs({ ...path, groupId: segment.id }),
      only: exact ? exact.deltaLogs.flatMap(({ logIds }) => [...logIds]) : [...(deltaLogs.get(segment.id) ?? [])],
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
