import type { RowField } from "../core/binlog/row-fields.ts";
import type { StoredValue } from "../core/binlog/stored-column.ts";
import type {
  CollectionDescription,
  CollectionName,
  CreateCollectionRequest,
  CreateIndexRequest,
  DatabaseDescription,
  FlushedCollection,
  FlushedServer,
  GarbageCollectionPause,
  Id,
  ImportQuery,
  ImportRequest,
  ImportTask,
  ImportWay,
  IndexDescription,
  KeyValue,
  PartitionDescription,
  SearchHit,
  SegmentDescription,
  SegmentLogs,
} from "../core/milvus/descriptions.ts";

import type { RbacAddition, RbacDescription, RefusedGrant } from "../core/milvus/rbac.ts";

export type * from "../core/milvus/descriptions.ts";

/**
 * A value as a query answers it: 64-bit integers are bigints, JSON and every vector the bytes that a binlog would store; of an array the
 * elements.
 */
export type QueriedValue = boolean | number | bigint | string | Uint8Array | null | readonly QueriedValue[];

/** By field; those that the server did not answer, or answered in a way that is not known here, are absent. */
export type QueriedRow = ReadonlyMap<string, QueriedValue>;

export interface VectorSearch {
  readonly field: string;
  readonly type: "FloatVector" | "BinaryVector";
  /** As binlogs store them. */
  readonly vectors: readonly Uint8Array[];
  readonly limit: number;
  readonly metricType: string;
  /** Of the index: `ef`, `nprobe`. */
  readonly params: Readonly<Record<string, number>>;
  /** An expression: only rows of which it is true. */
  readonly filter?: string;
}

/** The values of one field of some rows, as binlogs store them. */
export interface InsertedColumn {
  readonly field: Pick<RowField, "name" | "type" | "elementType" | "dataType" | "dim" | "isDynamic">;
  readonly values: readonly StoredValue[];
}

/** Rows for one call: all of one partition, or of a collection with a partition key. */
export interface InsertedRows {
  /** Absent where the partition follows from the key: Milvus takes no name then. */
  readonly partition?: string;
  /** How many; each column has as many values. */
  readonly rows: number;
  readonly columns: readonly InsertedColumn[];
}

/**
 * What the steps need from a Milvus server. Errors: MilvusUnreachable (with the address), MilvusUnauthenticated, MilvusBusy,
 * CollectionNotFound, MilvusFailed (with Milvus's own reason).
 */
export interface Milvus {
  /** `host:port`, for messages. */
  readonly address: string;

  /** As the server says it: `v2.3.5-lite`; core/milvus/version.ts reads it. */
  version(): Promise<string>;

  /** Whether lists of databases and collections leave out some that the user was granted nothing about (2.4.1 and later). */
  listsOnlyGranted(): Promise<boolean>;
  listDatabases(): Promise<string[]>;
  describeDatabase(database: string): Promise<DatabaseDescription>;
  createDatabase(database: string, properties: readonly KeyValue[]): Promise<void>;

  /** The key that the data of an encrypted database is read with elsewhere: a secret. MilvusUnreachable, MilvusFailed without it. */
  encryptionKey(database: string): Promise<string>;

  listCollections(database: string): Promise<string[]>;
  /** true for an alias too. */
  hasCollection(name: CollectionName): Promise<boolean>;
  describeCollection(name: CollectionName): Promise<CollectionDescription>;
  listPartitions(name: CollectionName): Promise<PartitionDescription[]>;
  /** Empty where the collection has no index. */
  listIndexes(name: CollectionName): Promise<IndexDescription[]>;
  /**
   * Loading progress in percent: of the collection, or of one partition. 0 where it is not loaded; 100 for a
   * collection of which single partitions are loaded, so ask for each.
   */
  loadingProgress(name: CollectionName, partition?: string): Promise<number>;

  /** What the server keeps of a collection beside its schema, and no backup carries, in words (replicas, row policies); none where it does not tell. */
  beyondSchema(name: CollectionName, loaded: boolean): Promise<string[]>;

  /** Whether the collection, or any partition of it, is loaded or being loaded. */
  isLoaded(name: CollectionName): Promise<boolean>;

  /** Seals and flushes all growing segments of a collection, waits until they are flushed. */
  flush(name: CollectionName): Promise<FlushedCollection>;
  /** Seals everything that grows, in all databases, and does not wait until it is flushed (2.6.11+); undefined where this server cannot. */
  flushAll(): Promise<FlushedServer | undefined>;
  /** Whether what a flush of the whole server sealed is flushed. */
  isFlushedAll({ channels }: Pick<FlushedServer, "channels">): Promise<boolean>;
  /** The latest position of the channel that CDC replicates through (2.5 alone); undefined where this server does not. */
  rpcChannelPosition(channel: string): Promise<string | undefined>;
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
  /**
   * How many shards a collection of the database may have, where that is fewer than `shards`; undefined where so many will do, or nobody
   * says. Makes nothing.
   */
  shardLimit(database: string, shards: number): Promise<number | undefined>;
  /** Drops the collection and its aliases; no error where it is not there. Refuses an alias in place of the name. */
  dropCollection(name: CollectionName): Promise<void>;
  renameCollection(name: CollectionName, newName: string): Promise<void>;
  createPartition(name: CollectionName, partition: string): Promise<void>;
  createIndex(name: CollectionName, index: CreateIndexRequest): Promise<void>;
  /** No error where there is no such index. MilvusFailed while the collection is loaded (on later versions: only where Milvus needs it). */
  dropIndex(name: CollectionName, index: Pick<IndexDescription, "fieldName" | "indexName">): Promise<void>;
  /** No error where the collection has the alias already; MilvusFailed where another one has it. */
  createAlias(name: CollectionName, alias: string): Promise<void>;
  /** Moves an alias to another collection, at once: it stands for one of the two at any time. MilvusFailed where there is no such alias. */
  alterAlias(name: CollectionName, alias: string): Promise<void>;
  /** The collection an alias stands for; undefined where there is no such alias, also for the name of a collection. */
  describeAlias(database: string, alias: string): Promise<string | undefined>;
  /** Starts loading the collection, or only the named partitions; does not wait. */
  load(name: CollectionName, partitions?: readonly string[]): Promise<void>;
  /** Rows of the collection by Milvus's own statistics (segments' row counts, decimal). */
  rowCount(name: CollectionName): Promise<bigint>;

  /** Rows of a loaded collection as a query counts them: those that are deleted, or whose time is over, are not. */
  countRows(name: CollectionName): Promise<bigint>;
  /**
   * Rows of a loaded collection, everything acknowledged included.
   * @param query.filter an expression of Milvus's
   * @param query.limit how many at most; all where absent
   */
  queryRows(
    name: CollectionName,
    query: { readonly filter: string; readonly fields: readonly string[]; readonly limit?: number },
  ): Promise<QueriedRow[]>;
  /** The nearest vectors of a loaded collection for each of some vectors, best first. */
  search(name: CollectionName, search: VectorSearch): Promise<(readonly SearchHit[])[]>;
  /** Why Milvus does not go on loading a collection, in its own words; undefined where it says nothing. */
  loadProblem(name: CollectionName): Promise<string | undefined>;

  /**
   * Inserts rows; a flush seals them. Called twice it inserts them twice: a key that is there already is no error, and counts once more.
   * MilvusFailed where Milvus refuses them; after any other error nobody knows whether they are there, or will be in a moment.
   */
  insertRows(name: CollectionName, rows: InsertedRows): Promise<void>;

  /** How it is asked to import; found out once, by a request where Milvus has a REST interface that may be closed or elsewhere. */
  importWay(): Promise<ImportWay>;
  /**
   * Submits one import; answers its task or job ID.
   * @throws what says in `details.mayHaveBegun` whether the import may be made all the same: MilvusBusy where that is true, false with a refusal
   */
  submitImport(request: ImportRequest): Promise<Id>;
  /** Every import of the collection the server remembers, which it does for hours (2.4+: three). */
  listImports(name: CollectionName, query?: Partial<ImportQuery>): Promise<ImportTask[]>;

  /**
   * Users, roles, grants and privilege groups. Its passwords, hashed as the server keeps them, are secrets: they go into a backup and into
   * `addRbac`, never into a log, an error or a file of the work bucket.
   */
  describeRbac(): Promise<RbacDescription>;
  /**
   * Adds users, roles, grants and privilege groups, none of which is there: Milvus refuses all where a user, role or group is.
   * @returns the grants that it does not take; everything else is there then
   */
  addRbac(addition: RbacAddition): Promise<RefusedGrant[]>;

  /**
   * Makes every call that backups and restores make, about a collection that is not there or with a request that is refused: who may make
   * it is asked first. Changes nothing.
   * @param of only those calls
   */
  tryCalls(of?: TriedCall["of"]): Promise<TriedCall[]>;
}

/** A call that was tried. */
export interface TriedCall {
  /** As Milvus's protocol has it, and as its privileges are called: `Flush`. */
  readonly call: string;
  /** What makes it: both make some. `rbac`: either, where it is about users and roles too. */
  readonly of: "backup" | "restore" | "rbac";
  /** `unknown` is not there in this version. */
  readonly outcome: "allowed" | "denied" | "unknown" | "unanswered";
  /** Milvus's own reason where it is denied or unanswered. */
  readonly reason: string;
}
