import { qualifiedName } from "../../src/core/milvus/names.ts";
import type { Rbac, RbacAddition, RbacDescription, RefusedGrant } from "../../src/core/milvus/rbac.ts";
import { features } from "../../src/core/milvus/version.ts";
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
  InsertedRows,
  KeyValue,
  Milvus,
  PartitionDescription,
  QueriedRow,
  SchemaDescription,
  SearchHit,
  SegmentDescription,
  SegmentLogs,
  TriedCall,
  VectorSearch,
} from "../../src/ports/milvus.ts";
import { MemoryAccess } from "./memory-milvus/access.ts";
import { MemoryCatalog } from "./memory-milvus/catalog.ts";
import type { MemoryRow, MemorySegment } from "./memory-milvus/collection.ts";
import { MemoryImports } from "./memory-milvus/imports.ts";
import { MemoryLoads } from "./memory-milvus/loads.ts";
import { MemoryRows } from "./memory-milvus/rows.ts";
import { MemorySegments } from "./memory-milvus/segments.ts";

export interface MemoryMilvusOptions {
  readonly address?: string;
  readonly version?: string;
  /** How many listImports an import takes until it is completed; 2. */
  readonly pollsPerImport?: number;
  /** No REST interface is in reach (2.4+): imports go over gRPC, which tells no files, and of others no IDs. */
  readonly restClosed?: true;
  /** How many loadingProgress a load takes until 100; 1. */
  readonly pollsPerLoad?: number;
  /** `proxy.maxShardNum`; 16. */
  readonly maxShards?: number;
  /** Its clock; the real one where absent. */
  readonly now?: () => Date;
  /** The rows of one imported pair of directories; none where absent. */
  readonly rowsOf?: (insertDirectory: string) => bigint;
  /** What it makes of a schema otherwise than it was asked: a server that does not know an attribute. */
  readonly creates?: (request: CreateCollectionRequest) => Partial<SchemaDescription>;
}

/** A call to fail on purpose; `times` absent: for good. */
interface PlannedFailure {
  readonly method: keyof Milvus;
  readonly error: Error;
  readonly matches: (...args: readonly unknown[]) => boolean;
  remaining: number;
}

/**
 * The Milvus port in memory, for tests of the steps: databases, collections, partitions, indexes, aliases, loading, segments and
 * imports with states that advance with every poll. It holds no rows, only their counts; what a query answers a test says.
 */
export class MemoryMilvus implements Milvus {
  /** Its lists are those of a user who was granted something about some collections only. */
  onlyGranted = false;
  readonly address: string;
  /** Every call in order: `createCollection default.coll`. */
  readonly calls: string[] = [];
  readonly #version: string;
  readonly #maxShards: number;
  readonly #catalog: MemoryCatalog;
  readonly #segments: MemorySegments;
  readonly #imports: MemoryImports;
  readonly #loads: MemoryLoads;
  readonly #rows: MemoryRows;
  readonly #access: MemoryAccess;
  readonly #failures: PlannedFailure[] = [];
  readonly #pauses = new Set<string>();

  constructor(options: MemoryMilvusOptions = {}) {
    const { address = "milvus.test:19530", version = "2.3.5", maxShards = 16, now = () => new Date() } = options;
    const { pollsPerImport = 2, pollsPerLoad = 1, restClosed = false, rowsOf, creates } = options;
    this.address = address;
    this.#version = version;
    this.#maxShards = maxShards;
    this.#catalog = new MemoryCatalog({ address, version, maxShards, creates });
    this.#segments = new MemorySegments(this.#catalog, { version, now });
    this.#imports = new MemoryImports(this.#catalog, { version, pollsPerImport, restClosed, rowsOf });
    this.#loads = new MemoryLoads(this.#catalog, pollsPerLoad);
    this.#rows = new MemoryRows(this.#catalog);
    this.#access = new MemoryAccess(version, (call, reason) => this.#catalog.refused(call, reason));
  }

  // ---- what tests do to it

  /** Puts a collection in, as it is described: its ID, partitions, segments, indexes. */
  addCollection(
    description: CollectionDescription,
    parts: {
      partitions?: readonly PartitionDescription[];
      segments?: readonly MemorySegment[];
      /** Segments that only a flush makes visible as flushed. */
      growing?: readonly MemorySegment[];
      indexes?: readonly IndexDescription[];
      /** true: the whole collection; otherwise names of partitions. */
      loaded?: boolean | readonly string[];
    } = {},
  ): void {
    const loaded = parts.loaded === true ? ["*"] : parts.loaded || [];
    this.#catalog.put(description, {
      ...(parts.partitions && { partitions: [...parts.partitions] }),
      indexes: [...(parts.indexes ?? [])],
      segments: [...(parts.segments ?? [])],
      growing: [...(parts.growing ?? [])],
      loaded: new Map(loaded.map((partition) => [partition, 100])),
    });
  }

  /** What was inserted through the port, in order; as often as it was. */
  insertedRows(name: CollectionName): readonly MemoryRow[] {
    return this.#catalog.get(name).inserted;
  }

  /** Inserts rows: a growing segment, which the next flush seals. */
  growRows(name: CollectionName, rows: number, partition = "_default"): void {
    this.#rows.grow(name, rows, partition);
  }

  /** Adds a segment that is sealed already: written and flushed meanwhile. */
  addSegment(name: CollectionName, segment: MemorySegment): void {
    this.#catalog.get(name).segments.push(segment);
  }

  /** Replaces what listSegments answers: compaction, say. */
  setSegments(name: CollectionName, segments: readonly MemorySegment[]): void {
    this.#catalog.get(name).segments = [...segments];
  }

  /**
   * Makes calls of `method` throw.
   * @param options `times` (default: for good), `when`: only calls with such arguments
   */
  fail(
    method: keyof Milvus,
    error: Error,
    options: { times?: number; when?: (...args: readonly unknown[]) => boolean } = {},
  ): void {
    this.#failures.push({
      method,
      error,
      matches: options.when ?? (() => true),
      remaining: options.times ?? Number.POSITIVE_INFINITY,
    });
  }

  /** Makes the next polls of matching imports answer `failed`. */
  failImports(name: CollectionName, reason: string, partition?: string): void {
    this.#imports.fail(name, reason, partition);
  }

  /** Forgets the imports of a collection, as Milvus does after a while; what it works on goes on. */
  forgetImports(name: CollectionName): void {
    this.#imports.forget(name);
  }

  /** Brings every import to its end and forgets it: hours go by. */
  endAndForgetImports(): void {
    this.#imports.endAndForget();
  }

  /** From now on no import is ever listed: a server that forgets faster than it is asked. */
  forgetAtOnce(): void {
    this.#imports.isForgetting = true;
  }

  /** While that is so, no import gets any further. */
  holdImports(isHeld: () => boolean): void {
    this.#imports.isHeld = isHeld;
  }

  /** From when that is so, every import that is not complete fails. */
  failImportsWhen(isFailing: () => boolean, reason: string): void {
    this.#imports.failsFor = () => (isFailing() ? reason : undefined);
  }

  /** While that is so, a flush of the whole server does not come to its end. */
  holdFlushes(isHeld: () => boolean): void {
    this.#segments.areFlushesHeld = isHeld;
  }

  /** While that is so, no load gets any further. */
  holdLoads(isHeld: () => boolean): void {
    this.#loads.isHeld = isHeld;
  }

  /** While that is so, a load is given up at once: the collection is as if it had not been asked for. */
  refuseLoads(reason: () => string | undefined): void {
    this.#loads.refusal = reason;
  }

  /** What queries and searches of a loaded collection answer; its primary key is the field `id`. */
  holdRows(content: (name: CollectionName) => readonly QueriedRow[]): void {
    this.#rows.content = content;
  }

  /** What was submitted for a collection, in order. */
  submittedImports(name: CollectionName): ImportRequest[] {
    return this.#catalog.get(name).imports.map(({ request }) => request);
  }

  /** Tickets of pauses that were not ended. */
  get openPauses(): readonly string[] {
    return [...this.#pauses];
  }

  /** Who may do what; a server tells and takes passwords from 2.4.10 on. */
  get rbac(): Rbac {
    return this.#access.rbac;
  }

  set rbac(rbac: Rbac) {
    this.#access.rbac = rbac;
  }

  /** Privileges that it does not know: grants of them are refused. */
  get unknownPrivileges(): Set<string> {
    return this.#access.unknownPrivileges;
  }

  /** The calls that its user may not make, by their names in Milvus's protocol. */
  get deniedCalls(): Set<string> {
    return this.#access.deniedCalls;
  }

  /** Keys of encrypted databases, by their names. */
  readonly encryptionKeys = new Map<string, string>();

  /** What a collection has that no backup carries, by `db.coll`. */
  readonly beyond = new Map<string, readonly string[]>();

  // ---- the port

  async tryCalls(of?: TriedCall["of"]): Promise<TriedCall[]> {
    this.#called("tryCalls");
    return this.#access.tryCalls(of);
  }

  async listsOnlyGranted(): Promise<boolean> {
    return this.onlyGranted;
  }

  async describeRbac(): Promise<RbacDescription> {
    this.#called("describeRbac");
    return this.#access.describe();
  }

  async addRbac(addition: RbacAddition): Promise<RefusedGrant[]> {
    this.#called("addRbac");
    return this.#access.add(addition);
  }

  async version(): Promise<string> {
    this.#called("version");
    return this.#version;
  }

  async listDatabases(): Promise<string[]> {
    this.#called("listDatabases");
    return this.#catalog.databases;
  }

  async describeDatabase(database: string): Promise<DatabaseDescription> {
    this.#called("describeDatabase", database);
    return this.#catalog.database(database);
  }

  async createDatabase(database: string, properties: readonly KeyValue[]): Promise<void> {
    this.#called("createDatabase", database, properties);
    this.#catalog.createDatabase(database, properties);
  }

  async encryptionKey(database: string): Promise<string> {
    this.#called("encryptionKey", database);
    const key = this.encryptionKeys.get(database);
    if (key === undefined) throw this.#catalog.refused("ez/backup", `no key of ${database}`);
    return key;
  }

  async listCollections(database: string): Promise<string[]> {
    this.#called("listCollections", database);
    this.#catalog.database(database);
    return this.#catalog.inDatabase(database).map(({ description }) => description.name.collection);
  }

  async hasCollection(name: CollectionName): Promise<boolean> {
    this.#called("hasCollection", name);
    return this.#catalog.find(name) !== undefined;
  }

  async describeCollection(name: CollectionName): Promise<CollectionDescription> {
    this.#called("describeCollection", name);
    return { ...this.#catalog.get(name).description, name };
  }

  async listPartitions(name: CollectionName): Promise<PartitionDescription[]> {
    this.#called("listPartitions", name);
    return [...this.#catalog.get(name).partitions];
  }

  async listIndexes(name: CollectionName): Promise<IndexDescription[]> {
    this.#called("listIndexes", name);
    return [...this.#catalog.get(name).indexes];
  }

  async loadingProgress(name: CollectionName, partition?: string): Promise<number> {
    this.#called("loadingProgress", name, partition);
    return this.#loads.progress(name, partition);
  }

  async beyondSchema(name: CollectionName): Promise<string[]> {
    this.#called("beyondSchema", name);
    return [...(this.beyond.get(qualifiedName(name)) ?? [])];
  }

  async isLoaded(name: CollectionName): Promise<boolean> {
    this.#called("isLoaded", name);
    return this.#loads.isLoaded(name);
  }

  async flush(name: CollectionName): Promise<FlushedCollection> {
    this.#called("flush", name);
    return this.#segments.flush(name);
  }

  async flushAll(): Promise<FlushedServer | undefined> {
    this.#called("flushAll");
    return this.#segments.flushAll();
  }

  async isFlushedAll(): Promise<boolean> {
    this.#called("isFlushedAll");
    return !this.#segments.areFlushesHeld();
  }

  /** How often the position of a channel was asked for: a part of its answer. */
  #positions = 0;

  async rpcChannelPosition(channel: string): Promise<string | undefined> {
    this.#called("rpcChannelPosition", channel);
    if (!features(this.#version).rpcChannel) return undefined;
    this.#positions += 1;
    return btoa(`${channel} ${this.#positions}`);
  }

  async listSegments(name: CollectionName): Promise<SegmentDescription[]> {
    this.#called("listSegments", name);
    return this.#segments.list(name);
  }

  async describeSegmentLogs(
    name: CollectionName,
    collectionId: Id,
    segmentIds: readonly Id[],
  ): Promise<SegmentLogs[] | undefined> {
    this.#called("describeSegmentLogs", name, collectionId, segmentIds);
    return this.#segments.logsOf(name, segmentIds);
  }

  async pauseGarbageCollection(seconds: number): Promise<GarbageCollectionPause | undefined> {
    this.#called("pauseGarbageCollection", seconds);
    if (!features(this.#version).gcPause) return undefined;
    const ticket = `ticket-${this.#catalog.newId()}`;
    this.#pauses.add(ticket);
    return { ticket };
  }

  async resumeGarbageCollection(pause: GarbageCollectionPause): Promise<void> {
    this.#called("resumeGarbageCollection", pause.ticket);
    this.#pauses.delete(pause.ticket);
  }

  async createCollection(request: CreateCollectionRequest): Promise<void> {
    this.#called("createCollection", request.name);
    this.#catalog.create(request);
  }

  async shardLimit(database: string, shards: number): Promise<number | undefined> {
    this.#called("shardLimit", database, shards);
    return shards > this.#maxShards ? this.#maxShards : undefined;
  }

  async dropCollection(name: CollectionName): Promise<void> {
    this.#called("dropCollection", name);
    this.#catalog.drop(name);
  }

  async renameCollection(name: CollectionName, newName: string): Promise<void> {
    this.#called("renameCollection", name, newName);
    this.#catalog.rename(name, newName);
  }

  async createPartition(name: CollectionName, partition: string): Promise<void> {
    this.#called("createPartition", name, partition);
    this.#catalog.createPartition(name, partition);
  }

  async createIndex(name: CollectionName, index: CreateIndexRequest): Promise<void> {
    this.#called("createIndex", name, index.indexName || index.fieldName);
    this.#catalog.createIndex(name, index);
  }

  async dropIndex(name: CollectionName, index: Pick<IndexDescription, "indexName">): Promise<void> {
    this.#called("dropIndex", name, index.indexName);
    this.#catalog.dropIndex(name, index);
  }

  async createAlias(name: CollectionName, alias: string): Promise<void> {
    this.#called("createAlias", name, alias);
    this.#catalog.createAlias(name, alias);
  }

  async alterAlias(name: CollectionName, alias: string): Promise<void> {
    this.#called("alterAlias", name, alias);
    this.#catalog.alterAlias(name, alias);
  }

  async describeAlias(database: string, alias: string): Promise<string | undefined> {
    this.#called("describeAlias", database, alias);
    return this.#catalog.holderOf(database, alias)?.description.name.collection;
  }

  async load(name: CollectionName, partitions?: readonly string[]): Promise<void> {
    this.#called("load", name, partitions);
    this.#loads.load(name, partitions);
  }

  async loadProblem(name: CollectionName): Promise<string | undefined> {
    this.#called("loadProblem", name);
    return this.#loads.refusal();
  }

  async rowCount(name: CollectionName): Promise<bigint> {
    this.#called("rowCount", name);
    return this.#rows.stored(name);
  }

  async countRows(name: CollectionName): Promise<bigint> {
    this.#called("countRows", name);
    return this.#rows.count(name);
  }

  async queryRows(
    name: CollectionName,
    { filter, fields }: { readonly filter: string; readonly fields: readonly string[] },
  ): Promise<QueriedRow[]> {
    this.#called("queryRows", name);
    return this.#rows.query(name, filter, fields);
  }

  async search(name: CollectionName, request: VectorSearch): Promise<(readonly SearchHit[])[]> {
    this.#called("search", name);
    return this.#rows.search(name, request);
  }

  async insertRows(name: CollectionName, request: InsertedRows): Promise<void> {
    this.#called("insertRows", name, request.partition, request);
    this.#rows.insert(name, request);
  }

  async importWay(): Promise<ImportWay> {
    return this.#imports.way;
  }

  async submitImport(request: ImportRequest): Promise<Id> {
    this.#called("submitImport", request.name, request.partition);
    return this.#imports.submit(request);
  }

  async listImports(name: CollectionName, query: Partial<ImportQuery> = {}): Promise<ImportTask[]> {
    this.#called("listImports", name);
    return this.#imports.list(name, query);
  }

  #called(method: keyof Milvus, ...args: readonly unknown[]): void {
    this.calls.push([method, ...args.map(spelled)].filter((part) => part !== "").join(" "));
    const planned = this.#failures.find(
      (failure) => failure.method === method && failure.remaining > 0 && failure.matches(...args),
    );
    if (!planned) return;
    planned.remaining -= 1;
    throw planned.error;
  }
}

function spelled(argument: unknown): string {
  if (argument === undefined) return "";
  if (typeof argument === "object" && argument !== null && "collection" in argument && "database" in argument) {
    return qualifiedName(argument as CollectionName);
  }
  if (Array.isArray(argument)) return argument.join(",");
  return typeof argument === "object" ? "" : String(argument);
}
