/** A 64-bit Milvus ID in decimal. Never a JavaScript number: IDs are above 2^53. */
export type Id = string;

export interface CollectionName {
  readonly database: string;
  readonly collection: string;
}

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

/**
 * What the steps need from a Milvus server. Errors: MilvusUnreachable (with the address), MilvusUnauthenticated, MilvusBusy,
 * CollectionNotFound, MilvusFailed (with Milvus's own reason).
 */
export interface Milvus {
  /** `host:port`, for messages. */
  readonly address: string;

  /** `2.3.5`; without the leading `v`. */
  version(): Promise<string>;

  listDatabases(): Promise<string[]>;
  describeDatabase(database: string): Promise<DatabaseDescription>;
  createDatabase(database: string, properties: readonly KeyValue[]): Promise<void>;

  listCollections(database: string): Promise<string[]>;
  hasCollection(name: CollectionName): Promise<boolean>;
  describeCollection(name: CollectionName): Promise<CollectionDescription>;
  listPartitions(name: CollectionName): Promise<PartitionDescription[]>;
  /** Empty where the collection has no index. */
  listIndexes(name: CollectionName): Promise<IndexDescription[]>;
  /** Loading progress in percent: of the collection, or of one partition. 0 where it is not loaded. */
  loadingProgress(name: CollectionName, partition?: string): Promise<number>;

  /** Seals and flushes all growing segments of a collection, waits until they are flushed. */
  flush(name: CollectionName): Promise<FlushedCollection>;
  /** Every segment Milvus lists for the collection, in whatever state. */
  listSegments(name: CollectionName): Promise<SegmentDescription[]>;
  /** The exact logs of segments (2.5.8+, REST); undefined where this server cannot tell. */
  describeSegmentLogs(
    name: CollectionName,
    collectionId: Id,
    segmentIds: readonly Id[],
  ): Promise<SegmentLogs[] | undefined>;

  /** Pauses garbage collection; undefined where the server has no such call (2.3.5 from PyPI). */
  pauseGarbageCollection(seconds: number): Promise<GarbageCollectionPause | undefined>;
  resumeGarbageCollection(pause: GarbageCollectionPause): Promise<void>;

  createCollection(request: CreateCollectionRequest): Promise<void>;
  dropCollection(name: CollectionName): Promise<void>;
  renameCollection(name: CollectionName, newName: string): Promise<void>;
  createPartition(name: CollectionName, partition: string): Promise<void>;
  createIndex(name: CollectionName, index: CreateIndexRequest): Promise<void>;
  createAlias(name: CollectionName, alias: string): Promise<void>;
  /** All aliases of a database with their collection, as far as this server can tell. */
  describeAlias(database: string, alias: string): Promise<string | undefined>;
  /** Starts loading the collection, or only the named partitions; does not wait. */
  load(name: CollectionName, partitions?: readonly string[]): Promise<void>;
  /** Rows of the collection by Milvus's own statistics (segments' row counts, decimal). */
  rowCount(name: CollectionName): Promise<bigint>;

  /** Submits one import; answers its task or job ID. */
  submitImport(request: ImportRequest): Promise<Id>;
  /** Every import of the collection the server remembers. */
  listImports(name: CollectionName): Promise<ImportTask[]>;
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
}

export interface SchemaDescription {
  readonly name: string;
  readonly description: string;
  readonly enableDynamicField: boolean;
  readonly fields: readonly FieldDescription[];
  readonly properties: readonly KeyValue[];
  readonly functions: readonly FunctionDescription[];
  readonly structArrayFields: readonly StructArrayFieldDescription[];
}

export interface FieldDescription {
  readonly fieldId: Id;
  readonly name: string;
  readonly description: string;
  /** Milvus's number: Int64 5, VarChar 21, FloatVector 101 ... */
  readonly dataType: number;
  /** For Array; 0 otherwise. */
  readonly elementType: number;
  readonly isPrimaryKey: boolean;
  readonly autoId: boolean;
  readonly isPartitionKey: boolean;
  readonly isDynamic: boolean;
  readonly nullable: boolean;
  readonly isFunctionOutput: boolean;
  /** base64 of the protobuf `schemapb.ValueField`; "" without default. */
  readonly defaultValueBase64: string;
  readonly typeParams: readonly KeyValue[];
  readonly indexParams: readonly KeyValue[];
}

export interface StructArrayFieldDescription {
  readonly fieldId: Id;
  readonly name: string;
  readonly description: string;
  readonly fields: readonly FieldDescription[];
}

export interface FunctionDescription {
  readonly id: Id;
  readonly name: string;
  readonly description: string;
  /** Milvus's number: BM25 1, TextEmbedding 2 ... */
  readonly type: number;
  readonly inputFieldNames: readonly string[];
  readonly inputFieldIds: readonly Id[];
  readonly outputFieldNames: readonly string[];
  readonly outputFieldIds: readonly Id[];
  readonly params: readonly KeyValue[];
}

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
}

export interface FlushedCollection {
  /** All sealed segments of the collection at the flush. */
  readonly segmentIds: readonly Id[];
  /** Hybrid timestamp of the flush, decimal; "0" where the server does not tell. */
  readonly timestamp: Id;
  /** Unix seconds; 0 where the server does not tell. */
  readonly sealTime: number;
  /** base64 of the message position, by virtual channel; empty on 2.3. */
  readonly channelCheckpoints: Readonly<Record<string, string>>;
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
  readonly storageVersion: Id;
}

export interface SegmentLogs {
  readonly segmentId: Id;
  readonly virtualChannel: string;
  readonly insertLogs: readonly FieldLogs[];
  readonly deltaLogs: readonly FieldLogs[];
}

export interface FieldLogs {
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
}

/** Keys in the target's bucket, each ending in `/`; `delta` is "" where there is none, `insert` is "" for L0 imports. */
export interface ImportFiles {
  readonly insert: string;
  readonly delta: string;
}

export interface ImportTask {
  readonly id: Id;
  readonly state: "pending" | "importing" | "completed" | "failed";
  /** 0 to 100. */
  readonly progress: number;
  /** Rows imported, net of deletes; 0n until known. */
  readonly rows: bigint;
  /** Milvus's reason where it failed; "" otherwise. */
  readonly failedReason: string;
  readonly partition: string;
  readonly files: readonly ImportFiles[];
}
