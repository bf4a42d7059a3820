import * as z from "zod";
import { type MadeBySchedule, madeBySchedule } from "../format/manifest.ts";
import {
  type CollectionWith,
  type FieldSchema,
  type IndexInfo,
  type PartitionWith,
  segmentsOf,
} from "../format/meta.ts";
import type { BackupOutline, SegmentBrief } from "../format/outline.ts";
import {
  type DrillProof,
  drillProof,
  reportedVerification,
  reportedVerificationOf,
  type VerificationProof,
} from "../format/proof.ts";
import { dataTypeName } from "../milvus/data-types.ts";
import type { CutAt } from "../milvus/instant.ts";
import { qualifiedName } from "../milvus/names.ts";

const time = z.iso.datetime({ offset: true });
const count = z.number().int().nonnegative();

/** What is counted of a part of a backup. Rows are those in its segments: deletes are not subtracted. */
const counted = z.strictObject({ rows: count, segments: count, bytes: count });
type Counted = z.infer<typeof counted>;

const reportedPartition = counted.extend({ partition: z.string(), loaded: z.boolean() });

const reportedField = z.strictObject({
  field: z.string(),
  /** `VarChar`, `Array of Int64`. */
  type: z.string(),
  /** `primary key`, `auto ID`, `max_length 256` ... */
  attributes: z.array(z.string()),
  description: z.string(),
});
type ReportedField = z.infer<typeof reportedField>;

const reportedIndex = z.strictObject({
  field: z.string(),
  index: z.string(),
  type: z.string(),
  /** As `key value`. */
  parameters: z.array(z.string()),
});

const reportedCollection = counted.extend({
  /** `db.coll` */
  collection: z.string(),
  id: z.string(),
  description: z.string(),
  /** T: the collection as it was then; absent where nobody knows. */
  instant: time.optional(),
  loadState: z.string(),
  shards: z.number().int(),
  aliases: z.array(z.string()),
  /** Of the logs of deletes. */
  deleteBytes: count,
  dynamicFields: z.boolean(),
  fields: z.array(reportedField).readonly(),
  indexes: z.array(reportedIndex).readonly(),
  /** Largest first, at most `mostPartitions`. */
  partitions: z.array(reportedPartition).readonly(),
  /** Those that are not among them. */
  otherPartitions: counted.extend({ partitionCount: count }).optional(),
});
export type ReportedCollection = Readonly<z.infer<typeof reportedCollection>>;

const reportedSegment = z.strictObject({
  id: z.string(),
  collection: z.string(),
  /** "" for deletes of all partitions. */
  partition: z.string(),
  /** Of deletes (`isL0`) the deletes. */
  rows: count,
  bytes: count,
  deleteBytes: count,
  isL0: z.boolean(),
});

/** How many segments are of which size: `from` (in) to `to` (out). */
const sizeClass = z.strictObject({ from: count, to: count, segments: count, bytes: count });
type SizeClass = z.infer<typeof sizeClass>;

export const backupReport = counted.extend({
  kind: z.literal("backup-report"),
  version: z.literal(1),
  generatedAt: time,
  backupName: z.string(),
  location: z.string(),
  state: z.enum(["complete", "incomplete"]),
  warnings: z.array(z.string()).readonly(),
  milvusVersion: z.string(),
  /** When the last collection was flushed; absent where nobody knows. */
  createdAt: time.optional(),
  /** Absent for a plain one. */
  incremental: z.strictObject({ newObjects: count, newBytes: count, ownBytes: count.optional() }).optional(),
  schedule: madeBySchedule.optional(),
  verification: reportedVerification.optional(),
  drill: drillProof.optional(),
  /** Largest first, at most `mostCollections`. */
  collections: z.array(reportedCollection).readonly(),
  /** Those that are not among them. */
  otherCollections: counted.extend({ collectionCount: count }).optional(),
  sizes: z.array(sizeClass).readonly(),
  /** At most `mostSegments`. */
  largestSegments: z.array(reportedSegment).readonly(),
});
export type BackupReport = Readonly<z.infer<typeof backupReport>>;

export const mostCollections = 50;
const mostPartitions = 50;
export const mostSegments = 20;

/** What the report of a backup is made of. */
export interface BackupFacts {
  readonly backup: BackupOutline;
  readonly complete: boolean;
  readonly warnings: readonly string[];
  /** By collection ID. */
  readonly instants: ReadonlyMap<string, CutAt>;
  readonly createdAt?: Date | undefined;
  readonly location: string;
  readonly incremental?: BackupReport["incremental"];
  readonly schedule?: MadeBySchedule | undefined;
  readonly verification?: VerificationProof | undefined;
  readonly drill?: DrillProof | undefined;
  readonly now: Date;
}

/** One backup: collections, partitions, schema, indexes, segments by size. However many there are, it stays a page. */
export function reportBackup(facts: BackupFacts): BackupReport {
  const { backup, complete, warnings, instants, createdAt, location, incremental, schedule, now } = facts;
  const { verification, drill } = facts;
  const largestFirst = backup.collection_backups.toSorted(
    (a, b) => compare(b.size, a.size) || (a.collection_name < b.collection_name ? -1 : 1),
  );
  const others = largestFirst.slice(mostCollections);
  const segments = largestFirst.flatMap(segmentsOf<SegmentBrief>);
  return {
    kind: "backup-report",
    version: 1,
    generatedAt: now.toISOString(),
    backupName: backup.name,
    location,
    state: complete ? "complete" : "incomplete",
    warnings,
    milvusVersion: backup.milvus_version,
    ...(createdAt && { createdAt: createdAt.toISOString() }),
    ...(incremental && { incremental }),
    ...(schedule && { schedule }),
    ...(verification && { verification: reportedVerificationOf(verification) }),
    ...(drill && { drill }),
    ...countedOf(segments),
    bytes: Number(backup.size),
    collections: largestFirst.slice(0, mostCollections).map((collection) => reportCollection(collection, instants)),
    ...(others.length > 0 && {
      otherCollections: { collectionCount: others.length, ...countedOf(others.flatMap(segmentsOf<SegmentBrief>)) },
    }),
    sizes: sizeClasses(segments),
    largestSegments: largestSegments(largestFirst),
  };
}

function reportCollection(
  collection: CollectionWith<SegmentBrief>,
  instants: BackupFacts["instants"],
): ReportedCollection {
  const { schema } = collection;
  const segments = segmentsOf(collection);
  const instant = instants.get(String(collection.collection_id))?.instant.time;
  const partitions = collection.partition_backups.toSorted((a, b) => compare(b.size, a.size));
  const others = partitions.slice(mostPartitions);
  return {
    collection: nameOf(collection),
    id: String(collection.collection_id),
    description: schema.description,
    ...(instant !== undefined && { instant }),
    ...countedOf(segments),
    bytes: Number(collection.size),
    loadState: collection.load_state || "NotLoad",
    shards: collection.shards_num,
    aliases: collection.aliases,
    deleteBytes: segments.reduce((sum, { deltaBytes }) => sum + deltaBytes, 0),
    dynamicFields: schema.enable_dynamic_field,
    fields: [
      ...schema.fields.map((field) => reportField(field)),
      ...schema.struct_array_fields.flatMap(({ name, description, fields }) => [
        { field: name, type: "Array of Struct", attributes: [], description },
        ...fields.map((field) => reportField(field, `${name}.`)),
      ]),
    ],
    indexes: collection.index_infos.map(reportIndex),
    partitions: partitions.slice(0, mostPartitions).map(reportPartition),
    ...(others.length > 0 && {
      otherPartitions: {
        partitionCount: others.length,
        ...countedOf(others.flatMap(({ segment_backups }) => segment_backups)),
      },
    }),
  };
}

function reportPartition(partition: PartitionWith<SegmentBrief>): ReportedCollection["partitions"][number] {
  return {
    partition: partition.partition_name,
    ...countedOf(partition.segment_backups),
    bytes: Number(partition.size),
    loaded: partition.load_state === "Loaded",
  };
}

function reportField(field: FieldSchema, prefix = ""): ReportedField {
  const flags = {
    "primary key": field.is_primary_key,
    "auto ID": field.autoID,
    "partition key": field.is_partition_key,
    nullable: field.nullable,
    dynamic: field.is_dynamic,
    "output of a function": field.is_function_output,
    "with a default": field.default_value_base64 !== "" || field.default_value_proto !== "",
  };
  const element = field.element_type === 0 ? "" : ` of ${dataTypeName(field.element_type)}`;
  return {
    field: prefix + field.name,
    type: dataTypeName(field.data_type) + element,
    attributes: [
      ...Object.entries(flags).flatMap(([name, is]) => (is ? [name] : [])),
      ...field.type_params.map(({ key, value }) => `${key} ${value}`),
    ],
    description: field.description,
  };
}

function reportIndex({
  field_name,
  index_name,
  index_type,
  params,
  user_index_params,
  index_params,
}: IndexInfo): ReportedCollection["indexes"][number] {
  const listed = user_index_params.length > 0 ? user_index_params : index_params;
  const all = new Map([...Object.entries(params), ...listed.map(({ key, value }): [string, string] => [key, value])]);
  all.delete("index_type");
  return {
    field: field_name,
    index: index_name,
    type: index_type || "AUTOINDEX",
    // Milvus has the parameters of an algorithm as JSON, and milvus-backup prints that with its quotes escaped.
    parameters: [...all].map(([key, value]) => `${key} ${value.replaceAll('\\"', '"')}`),
  };
}

function countedOf(segments: readonly SegmentBrief[]): Counted {
  let [rows, bytes] = [0n, 0n];
  for (const segment of segments) {
    if (!segment.is_l0) rows += segment.num_of_rows;
    bytes += segment.size;
  }
  return { rows: Number(rows), segments: segments.length, bytes: Number(bytes) };
}

const kibibyte = 1024;

/** Powers of four from 1 KiB: no more than some twenty for any sizes there are. Those at the ends that are empty are left out. */
function sizeClasses(segments: readonly SegmentBrief[]): SizeClass[] {
  const classes = new Map<number, { segments: number; bytes: number }>();
  for (const { size } of segments) {
    const bytes = Number(size);
    const power = bytes < kibibyte ? -1 : Math.floor(Math.log2(bytes / kibibyte) / 2);
    const known = classes.get(power) ?? { segments: 0, bytes: 0 };
    classes.set(power, { segments: known.segments + 1, bytes: known.bytes + bytes });
  }
  if (classes.size === 0) return [];
  const [lowest, highest] = [Math.min(...classes.keys()), Math.max(...classes.keys())];
  return Array.from({ length: highest - lowest + 1 }, (_, index) => {
    const power = lowest + index;
    return {
      from: power < 0 ? 0 : kibibyte * 4 ** power,
      to: kibibyte * 4 ** (power + 1),
      ...(classes.get(power) ?? { segments: 0, bytes: 0 }),
    };
  });
}

function largestSegments(collections: readonly CollectionWith<SegmentBrief>[]): BackupReport["largestSegments"] {
  const all = collections.flatMap((collection) => [
    ...collection.partition_backups.flatMap(({ partition_name, segment_backups }) =>
      segment_backups.map((segment) => ({ segment, collection, partition: partition_name })),
    ),
    ...collection.l0_segments.map((segment) => ({ segment, collection, partition: "" })),
  ]);
  return all
    .sort((a, b) => compare(b.segment.size, a.segment.size))
    .slice(0, mostSegments)
    .map(({ segment, collection, partition }) => ({
      id: String(segment.segment_id),
      collection: nameOf(collection),
      partition,
      rows: Number(segment.num_of_rows),
      bytes: Number(segment.size),
      deleteBytes: segment.deltaBytes,
      isL0: segment.is_l0,
    }));
}

function nameOf({ db_name, collection_name }: { db_name: string; collection_name: string }): string {
  return qualifiedName({ database: db_name, collection: collection_name });
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
