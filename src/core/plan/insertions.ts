import type { FieldSchema, PartitionWith } from "../format/meta.ts";
import type { CollectionOutline, SegmentBrief } from "../format/outline.ts";
import { dataTypeName, isVector } from "../milvus/data-types.ts";
import type { Features } from "../milvus/version.ts";
import { taskSeconds } from "./import-groups.ts";
import { objectsOf } from "./merges.ts";

/** What is asked of partitions that are small: `import` keeps them all imports, otherwise they are inserted where that is quicker. */
export type SmallPartitions = "import" | "insert";

/**
 * What a partition has at most whose rows are inserted, one by one through Milvus's log, in place of imported: it is read into memory
 * whole, and Milvus takes about 2 s for the import of any that is so small.
 */
export const smallPartition = { rows: 8_192n, bytes: 8 * 2 ** 20, vectorBytes: 64 * 2 ** 20, objects: 2_048 } as const;

/** What all that is inserted into one collection has at most: whatever fails, it is made anew, and all of it inserted once more. */
const mostOfCollection = { rows: 262_144n, bytes: 256 * 2 ** 20, objects: 65_536 } as const;

/**
 * What inserting takes, in seconds, as measured on Milvus 2.3.5 (two cores, an emulated S3): a flush two seconds, and 0.03 each segment of it,
 * as many as a partition has shards; an object 0.004 to read, a few side by side.
 */
const flushSeconds = 2;
const segmentFlushSeconds = 0.03;
const objectReadSeconds = 0.004;
const insertedRowsPerSecond = 20_000;
const insertedBytesPerSecond = 15e6;

/** Less is not worth a second way into a collection. */
const leastSavedSeconds = 2;

/** Types whose values a binlog stores as an insert of Milvus 2.2 and 2.3 takes them. */
const insertable: ReadonlySet<string> = new Set([
  ...["Bool", "Int8", "Int16", "Int32", "Int64", "Float", "Double", "VarChar", "JSON", "Array"],
  ...["FloatVector", "BinaryVector"],
]);

export interface InsertionRules {
  readonly features: Features;
  readonly asked: SmallPartitions | undefined;
  /**
   * Whether the collection is made by the restore, under a name that nobody else knows: where nobody can tell what became of an insert, it is
   * dropped and made anew.
   */
  readonly isOurs: boolean;
  /** Whether bytes may pass through here. */
  readonly mayStream: boolean;
  /** Of the collection that is made. */
  readonly shards: number;
}

type Partition = PartitionWith<SegmentBrief>;

/**
 * Partitions whose rows are inserted: where Milvus imports one task after another, keys are given, and all of them together save it
 * at least `leastSavedSeconds`.
 */
export function partitionsToInsert(collection: CollectionOutline, rules: InsertionRules): ReadonlySet<Partition> {
  const { features, asked, isOurs, mayStream } = rules;
  const none = new Set<Partition>();
  if (asked === "import" || features.importApi !== "grpc" || !isOurs || !mayStream) return none;
  if (!isInsertable(collection)) return none;
  const chosen = within(collection.partition_backups.filter((partition) => isSmall(partition, collection)));
  return savedSeconds(chosen, rules.shards) < leastSavedSeconds ? none : new Set(chosen);
}

/** Segments that have rows to restore; those that lack their logs are damage, which is found later. */
export function dataSegments({ segment_backups }: Partition): SegmentBrief[] {
  return segment_backups.filter((segment) => !segment.is_l0 && (segment.insertLogs > 0 || segment.num_of_rows > 0n));
}

function isInsertable({ schema, l0_segments, partition_backups }: CollectionOutline): boolean {
  const { fields } = schema;
  const hasOwnKeys = fields.some(({ is_primary_key, autoID }) => is_primary_key && !autoID) && !schema.autoID;
  const hasL0 =
    l0_segments.length > 0 ||
    partition_backups.some(({ segment_backups }) => segment_backups.some(({ is_l0 }) => is_l0));
  const isNewer = schema.functions.length > 0 || schema.struct_array_fields.length > 0;
  return hasOwnKeys && !hasL0 && !isNewer && fields.every(isInsertableField);
}

/** A field with nulls or a default came with Milvus 2.5: no 2.3 has rows without it. */
function isInsertableField(field: FieldSchema): boolean {
  const { data_type, element_type, nullable } = field;
  const isKnown = insertable.has(dataTypeName(data_type));
  const isKnownElement = element_type === 0 || insertable.has(dataTypeName(element_type));
  return isKnown && isKnownElement && !nullable && !field.default_value_base64 && !field.default_value_proto;
}

function isSmall(partition: Partition, { schema }: CollectionOutline): boolean {
  const segments = dataSegments(partition);
  if (segments.length === 0 || segments.some(({ storage_version }) => storage_version !== 0n)) return false;
  const { rows, bytes, objects } = sizeOf(segments);
  const vectorBytes = Number(rows) * schema.fields.reduce((sum, field) => sum + bytesOfVector(field), 0);
  return (
    rows <= smallPartition.rows &&
    bytes <= smallPartition.bytes &&
    objects <= smallPartition.objects &&
    vectorBytes <= smallPartition.vectorBytes
  );
}

/** As many as may go into one collection, in their order. */
function within(partitions: readonly Partition[]): Partition[] {
  let [rows, bytes, objects] = [0n, 0, 0];
  return partitions.filter((partition) => {
    const own = sizeOf(dataSegments(partition));
    const fits =
      rows + own.rows <= mostOfCollection.rows &&
      bytes + own.bytes <= mostOfCollection.bytes &&
      objects + own.objects <= mostOfCollection.objects;
    if (fits) [rows, bytes, objects] = [rows + own.rows, bytes + own.bytes, objects + own.objects];
    return fits;
  });
}

function savedSeconds(partitions: readonly Partition[], shards: number): number {
  const { rows, bytes, objects } = sizeOf(partitions.flatMap(dataSegments));
  const inserting =
    flushSeconds +
    partitions.length * shards * segmentFlushSeconds +
    objects * objectReadSeconds +
    Number(rows) / insertedRowsPerSecond +
    bytes / insertedBytesPerSecond;
  return partitions.length * taskSeconds - inserting;
}

function sizeOf(segments: readonly SegmentBrief[]): { rows: bigint; bytes: number; objects: number } {
  return {
    rows: segments.reduce((sum, { num_of_rows }) => sum + num_of_rows, 0n),
    bytes: segments.reduce((sum, { size, deltaBytes }) => sum + Number(size) + deltaBytes, 0),
    objects: objectsOf(segments),
  };
}

/** However well it is compressed. */
function bytesOfVector({ data_type, type_params }: FieldSchema): number {
  if (!isVector(data_type)) return 0;
  const dim = Number(type_params.find(({ key }) => key === "dim")?.value ?? "0");
  return dataTypeName(data_type) === "BinaryVector" ? dim / 8 : dim * 4;
}
