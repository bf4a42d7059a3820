import { importWays } from "../../src/adapters/milvus/imports.ts";
import type { StoredValue } from "../../src/core/binlog/stored-column.ts";
import { PipelineError } from "../../src/core/execution/errors.ts";
import { hybridTimestamp } from "../../src/core/milvus/instant.ts";
import { defaultDatabase, qualifiedName } from "../../src/core/milvus/names.ts";
import { keyPartitionName, partitionOfKey } from "../../src/core/milvus/partition-key.ts";
import type { Rbac, RbacAddition, RbacDescription, RefusedGrant } from "../../src/core/milvus/rbac.ts";
import { features, isAtLeast } from "../../src/core/milvus/version.ts";
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

/** A segment that a test puts in, with its exact logs where describeSegmentLogs is to tell them. */
export interface MemorySegment extends SegmentDescription {
  readonly logs?: SegmentLogs;
}

interface Collection {
  description: CollectionDescription;
  partitions: PartitionDescription[];
  indexes: IndexDescription[];
  segments: MemorySegment[];
  imports: MemoryImport[];
  inserted: MemoryRow[];
  /** Loaded partitions; `*` stands for the whole collection. */
  loaded: Map<string, number>;
  /** Segments sealed by the next flush. */
  growing: MemorySegment[];
}

/** A row that was inserted, where it went, and the call that brought it: Milvus gives the rows of a call one timestamp. */
export interface MemoryRow {
  readonly partition: string;
  readonly call: number;
  readonly values: ReadonlyMap<string, StoredValue>;
}

interface MemoryImport {
  task: ImportTask;
  request: ImportRequest;
  polls: number;
  /** Not listed any more; what it does goes on. */
  forgotten: boolean;
}

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
  readonly #options: Required<Pick<MemoryMilvusOptions, "pollsPerImport" | "pollsPerLoad" | "maxShards" | "now">> &
    Pick<MemoryMilvusOptions, "rowsOf" | "creates" | "restClosed">;
  readonly #databases = new Map<string, DatabaseDescription>();
  /** By qualified name. */
  readonly #collections = new Map<string, Collection>();
  readonly #failures: PlannedFailure[] = [];
  readonly #pauses = new Set<string>();
  #forgetting = false;
  #call = 0;
  #importsHeld = () => false;
  #importsFail: () => string | undefined = () => undefined;
  #flushesHeld = () => false;
  #loadsHeld = () => false;
  #loadsRefused: () => string | undefined = () => undefined;
  #content: (name: CollectionName) => readonly QueriedRow[] = () => [];
  #nextId = 470_000_000_000_000_001n;

  constructor(options: MemoryMilvusOptions = {}) {
    this.address = options.address ?? "milvus.test:19530";
    this.#version = options.version ?? "2.3.5";
    this.#options = {
      pollsPerImport: options.pollsPerImport ?? 2,
      pollsPerLoad: options.pollsPerLoad ?? 1,
      maxShards: options.maxShards ?? 16,
      now: options.now ?? (() => new Date()),
      ...(options.restClosed ? { restClosed: options.restClosed } : {}),
      ...(options.rowsOf ? { rowsOf: options.rowsOf } : {}),
      ...(options.creates ? { creates: options.creates } : {}),
    };
    this.#databases.set(defaultDatabase, { name: defaultDatabase, id: "1", properties: [] });
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
    const { database } = description.name;
    if (!this.#databases.has(database)) this.#addDatabase(database, []);
    const loaded = parts.loaded === true ? ["*"] : parts.loaded || [];
    this.#collections.set(qualifiedName(description.name), {
      description,
      partitions: [...(parts.partitions ?? [{ id: this.#newId(), name: "_default" }])],
      indexes: [...(parts.indexes ?? [])],
      segments: [...(parts.segments ?? [])],
      growing: [...(parts.growing ?? [])],
      imports: [],
      inserted: [],
      loaded: new Map(loaded.map((partition) => [partition, 100])),
    });
  }

  /** What was inserted through the port, in order; as often as it was. */
  insertedRows(name: CollectionName): readonly MemoryRow[] {
    return this.#get(name).inserted;
  }

  /** Inserts rows: a growing segment, which the next flush seals. */
  growRows(name: CollectionName, rows: number, partition = "_default"): void {
    const collection = this.#get(name);
    collection.growing.push({
      id: this.#newId(),
      collectionId: collection.description.id,
      partitionId: collection.partitions.find((other) => other.name === partition)?.id ?? "0",
      rows: BigInt(rows),
      state: "Growing",
      isL0: false,
      storageVersion: "0",
    });
  }

  /** Adds a segment that is sealed already: written and flushed meanwhile. */
  addSegment(name: CollectionName, segment: MemorySegment): void {
    this.#get(name).segments.push(segment);
  }

  /** Replaces what listSegments answers: compaction, say. */
  setSegments(name: CollectionName, segments: readonly MemorySegment[]): void {
    this.#get(name).segments = [...segments];
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
    for (const memory of this.#get(name).imports) {
      if (partition === undefined || memory.task.partition === partition) {
        memory.task = { ...memory.task, state: "failed", failedReason: reason };
      }
    }
  }

  /** Forgets the imports of a collection, as Milvus does after a while; what it works on goes on. */
  forgetImports(name: CollectionName): void {
    for (const memory of this.#get(name).imports) memory.forgotten = true;
  }

  /** Brings every import to its end and forgets it: hours go by. */
  endAndForgetImports(): void {
    for (const collection of this.#collections.values()) {
      for (const memory of collection.imports) {
        while (memory.task.state === "pending" || memory.task.state === "importing") this.#advance(collection, memory);
        memory.forgotten = true;
      }
    }
  }

  /** From now on no import is ever listed: a server that forgets faster than it is asked. */
  forgetAtOnce(): void {
    this.#forgetting = true;
  }

  /** While that is so, no import gets any further. */
  holdImports(isHeld: () => boolean): void {
    this.#importsHeld = isHeld;
  }

  /** From when that is so, every import that is not complete fails. */
  failImportsWhen(isFailing: () => boolean, reason: string): void {
    this.#importsFail = () => (isFailing() ? reason : undefined);
  }

  /** While that is so, a flush of the whole server does not come to its end. */
  holdFlushes(isHeld: () => boolean): void {
    this.#flushesHeld = isHeld;
  }

  /** While that is so, no load gets any further. */
  holdLoads(isHeld: () => boolean): void {
    this.#loadsHeld = isHeld;
  }

  /** While that is so, a load is given up at once: the collection is as if it had not been asked for. */
  refuseLoads(reason: () => string | undefined): void {
    this.#loadsRefused = reason;
  }

  /** What queries and searches of a loaded collection answer; its primary key is the field `id`. */
  holdRows(content: (name: CollectionName) => readonly QueriedRow[]): void {
    this.#content = content;
  }

  /** What was submitted for a collection, in order. */
  submittedImports(name: CollectionName): ImportRequest[] {
    return this.#get(name).imports.map(({ request }) => request);
  }

  /** Tickets of pauses that were not ended. */
  get openPauses(): readonly string[] {
    return [...this.#pauses];
  }

  /** Who may do what; a server tells and takes passwords from 2.4.10 on. */
  rbac: Rbac = { users: [], roles: [], grants: [], privilegeGroups: [] };

  /** Privileges that it does not know: grants of them are refused. */
  readonly unknownPrivileges = new Set<string>();

  /** The calls that its user may not make, by their names in Milvus's protocol. */
  readonly deniedCalls = new Set<string>();

  // ---- the port

  async tryCalls(of?: TriedCall["of"]): Promise<TriedCall[]> {
    this.#called("tryCalls");
    const tried = (by: TriedCall["of"], calls: readonly string[]) =>
      calls.map((call): TriedCall => {
        const isDenied = this.deniedCalls.has(call);
        const reason = isDenied ? `Privilege${call}: permission deny` : "";
        return { call, of: by, outcome: isDenied ? "denied" : "allowed", reason };
      });
    const all = [
      ...tried("backup", ["ShowCollections", "Flush"]),
      ...tried("restore", ["CreateCollection", "Import"]),
      ...tried("rbac", this.#tellsPasswords ? ["BackupRBAC", "RestoreRBAC"] : ["SelectUser", "OperatePrivilege"]),
    ];
    return of === undefined ? all : all.filter((one) => one.of === of);
  }

  async listsOnlyGranted(): Promise<boolean> {
    return this.onlyGranted;
  }

  async describeRbac(): Promise<RbacDescription> {
    this.#called("describeRbac");
    const tellsPasswords = this.#tellsPasswords;
    const users = tellsPasswords ? this.rbac.users : this.rbac.users.map((user) => ({ ...user, password: "" }));
    return structuredClone({ ...this.rbac, users, tellsPasswords });
  }

  async addRbac({ users, roles, grants, privilegeGroups, memberships }: RbacAddition): Promise<RefusedGrant[]> {
    this.#called("addRbac");
    const { rbac } = this;
    const taken = [
      ...users.filter(({ name }) => rbac.users.some((user) => user.name === name) || name === "root"),
      ...roles.filter((role) => rbac.roles.includes(role) || role === "admin" || role === "public"),
      ...privilegeGroups.filter(({ name }) => rbac.privilegeGroups.some((group) => group.name === name)),
    ];
    if (taken.length > 0) throw this.#refused("RestoreRBAC", "it already exists");
    if (!this.#tellsPasswords && users.length + privilegeGroups.length > 0)
      throw this.#refused("RestoreRBAC", "no call");
    const refused = grants.filter(({ privilege }) => this.unknownPrivileges.has(privilege));
    this.rbac = {
      users: [...rbac.users, ...users].map((user) => ({
        ...user,
        roles: [...user.roles, ...memberships.filter((one) => one.user === user.name).map(({ role }) => role)],
      })),
      roles: [...rbac.roles, ...roles],
      grants: [...rbac.grants, ...grants.filter((grant) => !refused.includes(grant))],
      privilegeGroups: [...rbac.privilegeGroups, ...privilegeGroups],
    };
    return refused.map((grant) => ({ grant, reason: `there is no privilege ${grant.privilege}` }));
  }

  get #tellsPasswords(): boolean {
    return isAtLeast(this.#version, "2.4.10");
  }

  async version(): Promise<string> {
    this.#called("version");
    return this.#version;
  }

  async listDatabases(): Promise<string[]> {
    this.#called("listDatabases");
    return [...this.#databases.keys()];
  }

  async describeDatabase(database: string): Promise<DatabaseDescription> {
    this.#called("describeDatabase", database);
    return this.#database(database);
  }

  async createDatabase(database: string, properties: readonly KeyValue[]): Promise<void> {
    this.#called("createDatabase", database, properties);
    if (this.#databases.has(database)) throw this.#refused("CreateDatabase", `database already exist: ${database}`);
    this.#addDatabase(database, properties);
  }

  /** Keys of encrypted databases, by their names. */
  readonly encryptionKeys = new Map<string, string>();

  async encryptionKey(database: string): Promise<string> {
    this.#called("encryptionKey", database);
    const key = this.encryptionKeys.get(database);
    if (key === undefined) throw this.#refused("ez/backup", `no key of ${database}`);
    return key;
  }

  async listCollections(database: string): Promise<string[]> {
    this.#called("listCollections", database);
    this.#database(database);
    return this.#inDatabase(database).map(({ description }) => description.name.collection);
  }

  async hasCollection(name: CollectionName): Promise<boolean> {
    this.#called("hasCollection", name);
    return this.#find(name) !== undefined;
  }

  async describeCollection(name: CollectionName): Promise<CollectionDescription> {
    this.#called("describeCollection", name);
    return { ...this.#get(name).description, name };
  }

  async listPartitions(name: CollectionName): Promise<PartitionDescription[]> {
    this.#called("listPartitions", name);
    return [...this.#get(name).partitions];
  }

  async listIndexes(name: CollectionName): Promise<IndexDescription[]> {
    this.#called("listIndexes", name);
    return [...this.#get(name).indexes];
  }

  async loadingProgress(name: CollectionName, partition?: string): Promise<number> {
    this.#called("loadingProgress", name, partition);
    const { loaded } = this.#get(name);
    const keys = partition === undefined ? [...loaded.keys()] : [partition, "*"].filter((key) => loaded.has(key));
    if (keys.length === 0) return 0;
    const progress = Math.min(...keys.map((key) => loaded.get(key) ?? 0));
    for (const key of this.#loadsHeld() ? [] : keys) {
      loaded.set(key, Math.min(100, (loaded.get(key) ?? 0) + Math.ceil(100 / this.#options.pollsPerLoad)));
    }
    return progress;
  }

  /** What a collection has that no backup carries, by `db.coll`. */
  readonly beyond = new Map<string, readonly string[]>();

  async beyondSchema(name: CollectionName): Promise<string[]> {
    this.#called("beyondSchema", name);
    return [...(this.beyond.get(qualifiedName(name)) ?? [])];
  }

  async isLoaded(name: CollectionName): Promise<boolean> {
    this.#called("isLoaded", name);
    return this.#get(name).loaded.size > 0;
  }

  async flush(name: CollectionName): Promise<FlushedCollection> {
    this.#called("flush", name);
    const collection = this.#get(name);
    const sealed = this.#seal(collection);
    return {
      // No server names L0 segments here.
      segmentIds: collection.segments.filter(({ state, isL0 }) => state === "Flushed" && !isL0).map(({ id }) => id),
      sealedIds: sealed.map(({ id }) => id),
      timestamp: hybridTimestamp(BigInt(this.#options.now().getTime())),
      channelTimestamp: "0",
      sealTime: 0,
      channelCheckpoints: {},
    };
  }

  async flushAll(): Promise<FlushedServer | undefined> {
    this.#called("flushAll");
    if (!features(this.#version).flushAll) return undefined;
    for (const collection of this.#collections.values()) this.#seal(collection);
    const timestamp = hybridTimestamp(BigInt(this.#options.now().getTime()));
    const physicalChannels = [
      ...new Set([...this.#collections.values()].flatMap(({ description }) => description.physicalChannels)),
    ];
    return {
      timestamp,
      channels: Object.fromEntries(physicalChannels.map((channel) => [channel, timestamp])),
      messages: Object.fromEntries(physicalChannels.map((channel) => [channel, btoa(`flush of ${channel}`)])),
      controlChannel: "by-dev-rootcoord-dml_0_vcchan",
      physicalChannels,
    };
  }

  async isFlushedAll(): Promise<boolean> {
    this.#called("isFlushedAll");
    return !this.#flushesHeld();
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
    const { segments, growing } = this.#get(name);
    return [...segments, ...growing].map(({ logs: _, ...segment }) => segment);
  }

  async describeSegmentLogs(
    name: CollectionName,
    collectionId: Id,
    segmentIds: readonly Id[],
  ): Promise<SegmentLogs[] | undefined> {
    this.#called("describeSegmentLogs", name, collectionId, segmentIds);
    if (!features(this.#version).segmentDescription) return undefined;
    return this.#get(name).segments.flatMap(({ id, logs }) => (logs && segmentIds.includes(id) ? [logs] : []));
  }

  async pauseGarbageCollection(seconds: number): Promise<GarbageCollectionPause | undefined> {
    this.#called("pauseGarbageCollection", seconds);
    if (!features(this.#version).gcPause) return undefined;
    const ticket = `ticket-${this.#newId()}`;
    this.#pauses.add(ticket);
    return { ticket };
  }

  async resumeGarbageCollection(pause: GarbageCollectionPause): Promise<void> {
    this.#called("resumeGarbageCollection", pause.ticket);
    this.#pauses.delete(pause.ticket);
  }

  async createCollection(request: CreateCollectionRequest): Promise<void> {
    this.#called("createCollection", request.name);
    const { name, schema } = request;
    const { id: databaseId } = this.#database(name.database);
    const { maxShards } = this.#options;
    if (request.shards > maxShards) {
      throw this.#refused("CreateCollection", `maximum shards's number should be limited to ${maxShards}`);
    }
    // stricter than 2.3.5, which takes the same request twice where there is no dynamic field
    if (this.#find(name)) throw this.#refused("CreateCollection", `collection already exists: ${qualifiedName(name)}`);
    const id = this.#newId();
    const numbered = numberedSchema(request);
    this.#collections.set(qualifiedName(name), {
      description: {
        name,
        id,
        databaseId,
        schema: { ...schema, ...numbered, ...this.#options.creates?.(request), name: name.collection },
        shards: request.shards,
        consistencyLevel: request.consistencyLevel,
        properties: [...request.properties],
        aliases: [],
        createdTimestamp: this.#newId(),
        virtualChannels: channels(request.shards, (shard) => `by-dev-rootcoord-dml_${shard}_${id}v${shard}`),
        physicalChannels: channels(request.shards, (shard) => `by-dev-rootcoord-dml_${shard}`),
      },
      partitions: this.#newPartitions(request),
      indexes: [],
      segments: [],
      growing: [],
      imports: [],
      inserted: [],
      loaded: new Map(),
    });
  }

  async shardLimit(database: string, shards: number): Promise<number | undefined> {
    this.#called("shardLimit", database, shards);
    return shards > this.#options.maxShards ? this.#options.maxShards : undefined;
  }

  async dropCollection(name: CollectionName): Promise<void> {
    this.#called("dropCollection", name);
    if (!this.#collections.has(qualifiedName(name)) && this.#find(name)) {
      throw this.#refused("DropCollection", `cannot drop the collection via alias = ${name.collection}`);
    }
    // as in Milvus, dropping what is not there is no error
    this.#collections.delete(qualifiedName(name));
  }

  async renameCollection(name: CollectionName, newName: string): Promise<void> {
    this.#called("renameCollection", name, newName);
    const collection = this.#get(name);
    const target = { database: name.database, collection: newName };
    if (this.#find(target)) {
      throw this.#refused("RenameCollection", `duplicated new collection name ${qualifiedName(target)}`);
    }
    this.#collections.delete(qualifiedName(name));
    const { schema } = collection.description;
    collection.description = { ...collection.description, name: target, schema: { ...schema, name: newName } };
    this.#collections.set(qualifiedName(target), collection);
  }

  async createPartition(name: CollectionName, partition: string): Promise<void> {
    this.#called("createPartition", name, partition);
    const { partitions } = this.#get(name);
    if (!partitions.some((existing) => existing.name === partition)) {
      partitions.push({ id: this.#newId(), name: partition });
    }
  }

  async createIndex(name: CollectionName, index: CreateIndexRequest): Promise<void> {
    this.#called("createIndex", name, index.indexName || index.fieldName);
    const { indexes, description } = this.#get(name);
    if (!description.schema.fields.some((field) => field.name === index.fieldName)) {
      throw this.#refused("CreateIndex", `cannot create index on non-exist field: ${index.fieldName}`);
    }
    const indexName = index.indexName || index.fieldName;
    const existing = indexes.find((other) => other.indexName === indexName || other.fieldName === index.fieldName);
    if (existing) {
      if (existing.indexName === indexName && same(existing.params, index.params)) return;
      throw this.#refused("CreateIndex", "at most one distinct index is allowed per field");
    }
    indexes.push({ id: this.#newId(), fieldName: index.fieldName, indexName, params: index.params });
  }

  async dropIndex(name: CollectionName, { indexName }: Pick<IndexDescription, "indexName">): Promise<void> {
    this.#called("dropIndex", name, indexName);
    const { indexes, loaded } = this.#get(name);
    // as in Milvus 2.3.5
    if (loaded.size > 0)
      throw this.#refused("DropIndex", "index cannot be dropped, collection is loaded, please release it first");
    indexes.splice(0, indexes.length, ...indexes.filter((index) => index.indexName !== indexName));
  }

  async createAlias(name: CollectionName, alias: string): Promise<void> {
    this.#called("createAlias", name, alias);
    const collection = this.#get(name);
    if (collection.description.aliases.includes(alias)) return;
    if (this.#find({ database: name.database, collection: alias })) {
      throw this.#refused("CreateAlias", `${alias} is the name of a collection or an alias already`);
    }
    const { description } = collection;
    collection.description = { ...description, aliases: [...description.aliases, alias] };
  }

  async alterAlias(name: CollectionName, alias: string): Promise<void> {
    this.#called("alterAlias", name, alias);
    const collection = this.#get(name);
    const holder = this.#inDatabase(name.database).find(({ description }) => description.aliases.includes(alias));
    if (!holder) throw this.#refused("AlterAlias", `alias not found: ${alias}`);
    const without = holder.description.aliases.filter((other) => other !== alias);
    holder.description = { ...holder.description, aliases: without };
    collection.description = { ...collection.description, aliases: [...collection.description.aliases, alias] };
  }

  async describeAlias(database: string, alias: string): Promise<string | undefined> {
    this.#called("describeAlias", database, alias);
    const owner = this.#inDatabase(database).find(({ description }) => description.aliases.includes(alias));
    return owner?.description.name.collection;
  }

  async load(name: CollectionName, partitions?: readonly string[]): Promise<void> {
    this.#called("load", name, partitions);
    const { loaded, indexes } = this.#get(name);
    if (indexes.length === 0) throw this.#refused("LoadCollection", "there is no vector index on the collection");
    if (this.#loadsRefused() !== undefined) return;
    for (const key of partitions ?? ["*"]) if (!loaded.has(key)) loaded.set(key, 0);
  }

  async rowCount(name: CollectionName): Promise<bigint> {
    this.#called("rowCount", name);
    const { segments } = this.#get(name);
    return segments.reduce((sum, segment) => (segment.state === "Dropped" ? sum : sum + segment.rows), 0n);
  }

  async countRows(name: CollectionName): Promise<bigint> {
    this.#called("countRows", name);
    return BigInt(this.#loadedContent(name).length);
  }

  async queryRows(
    name: CollectionName,
    { filter, fields }: { readonly filter: string; readonly fields: readonly string[] },
  ): Promise<QueriedRow[]> {
    this.#called("queryRows", name);
    const rows = this.#loadedContent(name).filter((row) => isAmong(filter, row));
    return rows.map((row) => new Map([...row].filter(([field]) => fields.includes(field))));
  }

  async search(name: CollectionName, request: VectorSearch): Promise<(readonly SearchHit[])[]> {
    this.#called("search", name);
    const { field, vectors, limit, filter = "" } = request;
    const rows = this.#loadedContent(name).filter((row) => filter === "" || isAmong(filter, row));
    return vectors.map((vector) =>
      rows
        .map((row) => ({ key: row.get("id") as bigint, score: squared(vector, row.get(field) as Uint8Array) }))
        .sort((a, b) => a.score - b.score)
        .slice(0, limit),
    );
  }

  async loadProblem(name: CollectionName): Promise<string | undefined> {
    this.#called("loadProblem", name);
    return this.#loadsRefused();
  }

  #loadedContent(name: CollectionName): readonly QueriedRow[] {
    if (this.#get(name).loaded.size === 0) throw this.#refused("Query", "collection not loaded");
    return this.#content(this.#get(name).description.name);
  }

  async insertRows(name: CollectionName, request: InsertedRows): Promise<void> {
    const { partition, rows, columns } = request;
    this.#called("insertRows", name, partition, request);
    this.#call += 1;
    const { description, partitions, inserted } = this.#get(name);
    const key = description.schema.fields.find(({ isPartitionKey }) => isPartitionKey);
    if (key && partition !== undefined) {
      throw this.#refused(
        "Insert",
        "not support manually specifying the partition names if partition key mode is used",
      );
    }
    const added = Array.from({ length: rows }, (_, row): MemoryRow => {
      const values = new Map(columns.map(({ field, values: column }) => [field.name, column[row] ?? ""]));
      const chosen = key && partitionOfKey(values.get(key.name) as bigint | string, partitions.length);
      return {
        partition: chosen === undefined ? (partition ?? "_default") : keyPartitionName(chosen),
        call: this.#call,
        values,
      };
    });
    for (const [to, members] of Map.groupBy(added, (row) => row.partition)) {
      if (!partitions.some((known) => known.name === to)) throw this.#refused("Insert", `partition not found: ${to}`);
      this.growRows(name, members.length, to);
    }
    inserted.push(...added);
  }

  async importWay(): Promise<ImportWay> {
    if (features(this.#version).importApi === "grpc") return importWays.tasks;
    if (this.#options.restClosed !== true) return importWays.jobs;
    return { ...importWays.jobsOverGrpc, closed: { base: "http://milvus.test:19530", reason: "connect ECONNREFUSED" } };
  }

  async submitImport(request: ImportRequest): Promise<Id> {
    this.#called("submitImport", request.name, request.partition);
    const { partitions, imports, loaded } = this.#get(request.name);
    if (request.kind === "l0" && loaded.size > 0) {
      throw this.#refused("Import", "for l0 import, collection cannot be loaded, please release it first");
    }
    if (request.kind === "segments" && !partitions.some(({ name }) => name === request.partition)) {
      throw this.#refused("Import", `partition not found: ${request.partition}`);
    }
    const id = this.#newId();
    const { partition, files } = request;
    const task: ImportTask = { id, state: "pending", progress: 0, rows: 0n, failedReason: "", partition, files };
    imports.push({ request, polls: 0, task, forgotten: this.#forgetting });
    return id;
  }

  async listImports(name: CollectionName, { own, settled }: Partial<ImportQuery> = {}): Promise<ImportTask[]> {
    this.#called("listImports", name);
    const collection = this.#get(name);
    const listed = collection.imports.flatMap(({ task, forgotten }) => (forgotten ? [] : [task]));
    for (const memory of collection.imports) this.#advance(collection, memory);
    if (this.#options.restClosed !== true) return listed.filter(({ id }) => !settled?.has(id));
    const unnamed = listed.map((task) => ({ ...task, partition: "", files: [] }));
    const others = unnamed.filter(({ id, state }) => !own?.has(id) && (state === "pending" || state === "importing"));
    return [
      ...unnamed.filter(({ id }) => own?.has(id)),
      ...others.map((task, index) => ({ ...task, id: `unlisted-${index}` })),
    ];
  }

  // ---- inside

  #seal(collection: Collection): MemorySegment[] {
    const sealed = collection.growing.map((segment) => ({ ...segment, state: "Flushed" as const }));
    collection.segments.push(...sealed);
    collection.growing = [];
    return sealed;
  }

  #advance(collection: Collection, memory: MemoryImport): void {
    if (memory.task.state === "completed" || memory.task.state === "failed") return;
    const failedReason = this.#importsFail();
    if (failedReason !== undefined) {
      memory.task = { ...memory.task, state: "failed", failedReason };
      return;
    }
    if (this.#importsHeld()) return;
    memory.polls += 1;
    const { pollsPerImport, rowsOf } = this.#options;
    if (memory.polls < pollsPerImport) {
      const progress = Math.floor((100 * memory.polls) / pollsPerImport);
      memory.task = { ...memory.task, state: "importing", progress };
      return;
    }
    const rows = memory.request.files.reduce((sum, { insert }) => sum + (insert ? (rowsOf?.(insert) ?? 0n) : 0n), 0n);
    memory.task = { ...memory.task, state: "completed", progress: 100, rows };
    const partition = collection.partitions.find(({ name }) => name === memory.request.partition);
    collection.segments.push({
      id: this.#newId(),
      collectionId: collection.description.id,
      partitionId: partition?.id ?? "-1",
      rows,
      state: "Flushed",
      isL0: memory.request.kind === "l0",
      storageVersion: memory.request.storageVersion,
    });
  }

  #newPartitions(request: CreateCollectionRequest): PartitionDescription[] {
    const keyed = request.schema.fields.some(({ isPartitionKey }) => isPartitionKey);
    // Milvus makes 16 in 2.4 and newer, 64 before, where nobody says how many
    const names = keyed
      ? Array.from({ length: request.partitionCount ?? 64 }, (_, index) => `_default_${index}`)
      : ["_default"];
    return names.map((name) => ({ id: this.#newId(), name }));
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

  #addDatabase(name: string, properties: readonly KeyValue[]): void {
    const id = features(this.#version).describeDatabase ? this.#newId() : "0";
    this.#databases.set(name, { name, id, properties: [...properties] });
  }

  #database(name: string): DatabaseDescription {
    const database = this.#databases.get(name);
    if (!database) throw this.#refused("DescribeDatabase", `database not found: ${name}`);
    return database;
  }

  #inDatabase(database: string): Collection[] {
    return [...this.#collections.values()].filter(({ description }) => description.name.database === database);
  }

  /** By name or, as in Milvus, by alias. */
  #find(name: CollectionName): Collection | undefined {
    return (
      this.#collections.get(qualifiedName(name)) ??
      this.#inDatabase(name.database || defaultDatabase).find(({ description }) =>
        description.aliases.includes(name.collection),
      )
    );
  }

  #get(name: CollectionName): Collection {
    const collection = this.#find(name);
    if (collection) return collection;
    throw new PipelineError(
      "CollectionNotFound",
      `collection ${qualifiedName(name)} does not exist in Milvus at ${this.address}`,
    );
  }

  #refused(call: string, reason: string): PipelineError {
    const details = { mayHaveBegun: false };
    return new PipelineError("MilvusFailed", `Milvus at ${this.address} refused ${call}: ${reason}`, { details });
  }

  #newId(): Id {
    this.#nextId += 1n;
    return String(this.#nextId);
  }
}

/**
 * Gives fields their IDs as Milvus does (`createCollectionTask.assignFieldAndFunctionID`, `nextFieldID`): created ones from 100 on, then the
 * hidden ones of namespaces and of the dynamic field, then struct arrays with their fields. Added ones come behind the highest ID, or
 * behind `max_field_id` where that is higher.
 */
function numberedSchema({ schema, addedFields, properties }: CreateCollectionRequest) {
  let next = 100;
  const numbered = <T extends { readonly fieldId: Id }>(field: T): T => {
    const fieldId = String(next);
    next += 1;
    return { ...field, fieldId };
  };
  const created = schema.fields.map(numbered);
  // never described
  next += Number(schema.enableNamespace) + Number(schema.enableDynamicField);
  const structArrayFields = schema.structArrayFields.map((struct) => ({
    ...numbered(struct),
    fields: struct.fields.map(numbered),
  }));
  const highest = [...properties, ...schema.properties].find(({ key }) => key === "max_field_id")?.value ?? "0";
  next = Math.max(next, Number(highest) + 1);
  return { fields: [...created, ...addedFields.map(numbered)], structArrayFields };
}

function channels(shards: number, channel: (shard: number) => string): string[] {
  return Array.from({ length: shards }, (_, shard) => channel(shard));
}

function same(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

function spelled(argument: unknown): string {
  if (argument === undefined) return "";
  if (typeof argument === "object" && argument !== null && "collection" in argument && "database" in argument) {
    return qualifiedName(argument as CollectionName);
  }
  if (Array.isArray(argument)) return argument.join(",");
  return typeof argument === "object" ? "" : String(argument);
}

/** Whether a filter `id in [1,2]` is true of a row. */
function isAmong(filter: string, row: QueriedRow): boolean {
  const keys = /^id in \[(.*)\]$/.exec(filter)?.[1]?.split(",") ?? [];
  return keys.includes(String(row.get("id")));
}

function squared(a: Uint8Array, b: Uint8Array): number {
  const floats = (bytes: Uint8Array) => [...new Float32Array(Uint8Array.from(bytes).buffer)];
  const other = floats(b);
  return floats(a).reduce((sum, value, at) => sum + (value - (other[at] ?? 0)) ** 2, 0);
}
