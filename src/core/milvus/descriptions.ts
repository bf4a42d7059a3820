import type { DescriptionOf, Id, KeyValue } from "./attributes.ts";
import type {
  fieldAttributes,
  functionAttributes,
  schemaAttributes,
  structArrayAttributes,
} from "./schema-attributes.ts";

/** What Milvus says of its collections and what it is asked to do, in its own words; shared by plans, mappings and the port. */

export type { Id, KeyValue } from "./attributes.ts";

export interface CollectionName {
  readonly database: string;
  readonly collection: string;
}

export interface DatabaseDescription {
  readonly name: string;
  /** "0" where the server does not tell (before 2.4.3). */
  readonly id: Id;
  readonly properties: readonly KeyValue[];
}

export interface CollectionDescription {
  readonly name: CollectionName;
  readonly id: Id;
  readonly databaseId: Id;
  readonly schema: SchemaDescription;
  readonly shards: number;
  /** Milvus's number: Strong 0, Session 1, Bounded 2, Eventually 3. */
  readonly consistencyLevel: number;
  readonly properties: readonly KeyValue[];
  readonly aliases: readonly string[];
  readonly createdTimestamp: Id;
  readonly virtualChannels: readonly string[];
  readonly physicalChannels: readonly string[];
  /** What else the server says of it, that no backup carries, in words (core/milvus/not-carried.ts). */
  readonly notCarried?: readonly string[];
}

export interface SchemaDescription extends DescriptionOf<typeof schemaAttributes> {
  readonly name: string;
  readonly description: string;
  readonly enableDynamicField: boolean;
  readonly fields: readonly FieldDescription[];
  readonly properties: readonly KeyValue[];
  readonly functions: readonly FunctionDescription[];
  readonly structArrayFields: readonly StructArrayFieldDescription[];
}

export type FieldDescription = DescriptionOf<typeof fieldAttributes>;

export interface StructArrayFieldDescription extends DescriptionOf<typeof structArrayAttributes> {
  readonly fields: readonly FieldDescription[];
}

type FunctionDescription = DescriptionOf<typeof functionAttributes>;

export interface PartitionDescription {
  readonly id: Id;
  readonly name: string;
}

export interface IndexDescription {
  readonly id: Id;
  readonly fieldName: string;
  readonly indexName: string;
  /** As DescribeIndex answers them: index_type, metric_type, params (JSON text) ... */
  readonly params: Readonly<Record<string, string>>;
  /** As of a collection. */
  readonly notCarried?: readonly string[];
}

export interface FlushedCollection {
  /**
   * All sealed segments of the collection at the flush: with what L0 segments hold, everything up to `timestamp`. Without the L0
   * segments, which no server names here.
   */
  readonly segmentIds: readonly Id[];
  /** Those of them that this very flush sealed: they may hold rows from after `timestamp`. */
  readonly sealedIds: readonly Id[];
  /** Hybrid, decimal: everything up to it is in sealed segments and their delta logs (`coll_flush_ts`); "0" where the server does not tell. */
  readonly timestamp: Id;
  /** The latest hybrid timestamp of the channel checkpoints, decimal; "0" where there are none (2.3). */
  readonly channelTimestamp: Id;
  /** Unix seconds; 0 where the server does not tell. */
  readonly sealTime: number;
  /** base64 of the message position, by virtual channel; empty on 2.3. */
  readonly channelCheckpoints: Readonly<Record<string, string>>;
}

/** A flush of everything in a server (2.6.11+), begun. */
export interface FlushedServer {
  /** The earliest of `channels`, hybrid, decimal. */
  readonly timestamp: Id;
  /** When it is in each physical channel, hybrid, decimal. */
  readonly channels: Readonly<Record<string, Id>>;
  /** base64 of its message in each physical channel (`commonpb.ImmutableMessage`): from there another cluster goes on. */
  readonly messages: Readonly<Record<string, string>>;
  readonly controlChannel: string;
  readonly physicalChannels: readonly string[];
}

export type SegmentState = "Growing" | "Sealed" | "Flushed" | "Flushing" | "Dropped" | "Importing" | "Unknown";

export interface SegmentDescription {
  readonly id: Id;
  readonly collectionId: Id;
  /** "-1" for an L0 segment of all partitions. */
  readonly partitionId: Id;
  readonly rows: bigint;
  readonly state: SegmentState;
  readonly isL0: boolean;
  /** What clustering compaction makes (2.4 and newer); absent as false. */
  readonly isL2?: boolean;
  readonly storageVersion: Id;
  /** By primary key, as compaction leaves segments (2.5 and newer); absent where nobody tells. */
  readonly isSorted?: boolean;
}

export interface SegmentLogs {
  readonly segmentId: Id;
  readonly virtualChannel: string;
  readonly insertLogs: readonly FieldLogs[];
  readonly deltaLogs: readonly FieldLogs[];
}

interface FieldLogs {
  readonly fieldId: Id;
  readonly logIds: readonly Id[];
}

export interface GarbageCollectionPause {
  /** "" on servers that give none. */
  readonly ticket: string;
}

export interface CreateCollectionRequest {
  readonly name: CollectionName;
  /** Fields in the order in which they get their IDs; without the dynamic field. */
  readonly schema: SchemaDescription;
  readonly shards: number;
  readonly consistencyLevel: number;
  readonly properties: readonly KeyValue[];
  /** With a partition key: how many partitions. */
  readonly partitionCount?: number;
  /** Fields that were added to the collection later (2.6+): added again, in order, so that field IDs line up. */
  readonly addedFields: readonly FieldDescription[];
}

export interface CreateIndexRequest {
  readonly fieldName: string;
  /** "" lets Milvus name it. */
  readonly indexName: string;
  readonly params: Readonly<Record<string, string>>;
}

export interface ImportRequest {
  readonly name: CollectionName;
  /** "" for L0 segments of all partitions. */
  readonly partition: string;
  readonly files: readonly ImportFiles[];
  readonly kind: "segments" | "l0";
  /** Above "0" for storage v2 (2.6+). */
  readonly storageVersion: Id;
  /** Rows and deletes after it are left out; everything is imported where absent. */
  readonly end?: ImportEnd;
  /** What the files of an encrypted database are read with: a secret. */
  readonly encryptionKey?: string;
}

/** How `end_ts` of an import is told: servers up to 2.3 and early ones of 2.4 take milliseconds, later ones a hybrid timestamp. */
export interface ImportEnd {
  /** Hybrid, decimal. */
  readonly timestamp: Id;
  /** Milliseconds where absent: a server that wants the other says so, one that does not would filter nothing, or everything. */
  readonly unit?: "hybrid";
}

/** Keys in the target's bucket, each ending in `/`; `delta` is "" where there is none, `insert` is "" for L0 imports. */
export interface ImportFiles {
  readonly insert: string;
  readonly delta: string;
}

/** How a Milvus is asked to import. */
export interface ImportWay {
  /** Imports of 2.4 and later go over REST; over gRPC where that is out of reach. */
  readonly over: "grpc" | "rest";
  /** Directory pairs that one import is given at most. */
  readonly pairsPerJob: number;
  /** Whether lists tell what an import reads; otherwise one of which no ID is known is found by its rows only. */
  readonly namesFiles: boolean;
  /** Seconds after which an import is listed, or never will be, that was asked for without an answer. */
  readonly settleSeconds: number;
  /** Where its REST interface was looked for, and why it is out of reach; absent where it answers, or this Milvus needs none. */
  readonly closed?: { readonly base: string; readonly reason: string };
}

/** What a list of imports is asked for. */
export interface ImportQuery {
  /** Imports to be told whole: rows, and why one failed; none where absent. */
  readonly own: ReadonlySet<Id>;
  /** Of all others only whether they run, or what they read besides; that where absent. */
  readonly others: "states" | "files";
  /** Of which nobody needs to know more: they are left out, and cost no request; none where absent. */
  readonly settled: ReadonlySet<Id>;
}

export interface ImportTask {
  /** Of one of the server's, or a name of no meaning where a server (2.4+ over gRPC) tells no ID. */
  readonly id: Id;
  readonly state: "pending" | "importing" | "completed" | "failed";
  /** 0 to 100. */
  readonly progress: number;
  /** Rows imported, net of deletes; 0n until known. */
  readonly rows: bigint;
  /** Milvus's reason where it failed; "" otherwise. */
  readonly failedReason: string;
  /** "" from Milvus 2.4 on, which does not tell. */
  readonly partition: string;
  /**
   * As submitted. Milvus 2.4 and newer tell them once the job is running (none before), and a `delta` only where a segment
   * below it has deletes: compare by `insert`.
   */
  readonly files: readonly ImportFiles[];
}

/** An answer to a search. */
export interface SearchHit {
  /** Primary key. */
  readonly key: bigint | string;
  /** As Milvus scores it: L2 is squared. */
  readonly score: number;
}
