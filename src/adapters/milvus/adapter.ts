import type { Environment } from "../../core/environment/environment.ts";
import type {
  CollectionName,
  CreateCollectionRequest,
  CreateIndexRequest,
  DatabaseDescription,
  FlushedServer,
  GarbageCollectionPause,
  Id,
  ImportQuery,
  ImportRequest,
  ImportWay,
  IndexDescription,
  KeyValue,
} from "../../core/milvus/descriptions.ts";
import { defaultDatabase, qualifiedName } from "../../core/milvus/names.ts";
import type { RbacAddition } from "../../core/milvus/rbac.ts";
import { type Features, features } from "../../core/milvus/version.ts";
import type { InsertedRows, Milvus, TriedCall, VectorSearch } from "../../ports/milvus.ts";
import type { StepLog } from "../../ports/step-context.ts";
import { createAlias, dropCollection, resolveAlias } from "./aliases.ts";
import { beyondSchema } from "./beyond-schema.ts";
import {
  aboutCollection,
  createCollection,
  describeCollection,
  dropIndex,
  isLoaded,
  listIndexes,
  listPartitions,
  loadingProgress,
  shardLimit,
  showCollections,
} from "./collections.ts";
import { readEncryptionKey } from "./encryption-key.ts";
import { askedError, statusError } from "./errors.ts";
import { flushAll, isFlushedAll } from "./flush-all.ts";
import { pauseGarbageCollection, resumeGarbageCollection } from "./garbage-collection.ts";
import type { GrpcClient } from "./grpc-client.ts";
import { grpcImports } from "./grpc-imports.ts";
import { grpcJobs } from "./grpc-jobs.ts";
import { type ImportApi, importWays } from "./imports.ts";
import { insertRows } from "./insert.ts";
import { countRows, loadProblem, queryRows, search } from "./queries.ts";
import { addRbac, describeRbac } from "./rbac.ts";
import { type HttpExchange, httpExchange, type RestClient } from "./rest-client.ts";
import { restImports } from "./rest-imports.ts";
import { rpcChannelPosition } from "./rpc-channel.ts";
import { readKeyValue } from "./schema.ts";
import { describeSegmentLogs } from "./segment-logs.ts";
import { flush, listSegments } from "./segments.ts";
import { tryCalls } from "./try-calls.ts";
import { listsOnlyGranted } from "./visible.ts";

/** Bounds of the adapter's own waits. */
interface AdapterLimits {
  /** A Lambda runs 15 minutes at most. */
  readonly flushTimeoutMs: number;
}

/** A Milvus of any version from 2.2 on, over gRPC and, for what came with 2.4 and later, REST. */
export class MilvusAdapter implements Milvus {
  readonly address: string;
  readonly #grpc: GrpcClient;
  readonly #rest: RestClient;
  readonly #exchange: HttpExchange;
  readonly #version: string;
  readonly #features: Features;
  #imports: Promise<{ readonly way: ImportWay; readonly api: ImportApi }> | undefined;
  readonly #managementAddress: string;
  readonly #limits: AdapterLimits;
  readonly #log: StepLog | undefined;
  /** What was logged once. */
  readonly #told = new Set<string>();

  constructor(
    environment: Environment,
    { grpc, rest }: { readonly grpc: GrpcClient; readonly rest: RestClient },
    version: string,
    limits: AdapterLimits,
    log?: StepLog,
  ) {
    this.address = grpc.endpoint.address;
    this.#grpc = grpc;
    this.#exchange = httpExchange(environment.milvus);
    this.#rest = rest;
    this.#version = version;
    this.#features = features(version);
    this.#managementAddress = environment.gcPause.address;
    this.#limits = limits;
    this.#log = log;
  }

  async version(): Promise<string> {
    return this.#version;
  }

  async listsOnlyGranted() {
    return this.#features.listsGranted && listsOnlyGranted(this.#grpc);
  }

  async listDatabases(): Promise<string[]> {
    const outcome = await this.#grpc.attempt<{ readonly db_names: readonly string[] }>("ListDatabases", {});
    // before 2.2.9 there is one, without a name
    if (outcome.kind === "unimplemented") return [defaultDatabase];
    if (outcome.kind === "refused") throw statusError(this.#grpc.endpoint, "ListDatabases", outcome.status);
    return [...outcome.response.db_names];
  }

  async describeDatabase(database: string): Promise<DatabaseDescription> {
    if (!this.#features.describeDatabase) return { name: database, id: "0", properties: [] };
    const answer = await this.#grpc.call<{ readonly dbID: string; readonly properties: readonly KeyValue[] }>(
      "DescribeDatabase",
      {},
      { database, subject: `database ${database}` },
    );
    return { name: database, id: answer.dbID, properties: answer.properties.map(readKeyValue) };
  }

  async createDatabase(database: string, properties: readonly KeyValue[]): Promise<void> {
    const request = { db_name: database, properties: properties.map(readKeyValue) };
    await this.#grpc.call("CreateDatabase", request, { subject: `database ${database}` });
  }

  encryptionKey(database: string): Promise<string> {
    return readEncryptionKey(this.#exchange, this.#managementAddress, database);
  }

  async listCollections(database: string): Promise<string[]> {
    return (await showCollections(this.#grpc, database)).map(({ name }) => name);
  }

  async hasCollection(name: CollectionName): Promise<boolean> {
    const request = { collection_name: name.collection };
    const answer = await this.#grpc.call<{ readonly value: boolean }>("HasCollection", request, aboutCollection(name));
    return answer.value;
  }

  describeCollection(name: CollectionName) {
    return describeCollection(this.#grpc, name);
  }

  listPartitions(name: CollectionName) {
    return listPartitions(this.#grpc, name);
  }

  listIndexes(name: CollectionName) {
    return listIndexes(this.#grpc, name);
  }

  loadingProgress(name: CollectionName, partition?: string) {
    return loadingProgress(this.#grpc, name, partition);
  }

  beyondSchema(name: CollectionName, loaded: boolean) {
    return beyondSchema(this.#grpc, name, { loaded, rowPolicies: this.#features.rowPolicies });
  }

  isLoaded(name: CollectionName) {
    return isLoaded(this.#grpc, name);
  }

  flush(name: CollectionName) {
    return flush(this.#grpc, name, this.#limits.flushTimeoutMs);
  }

  async flushAll() {
    return this.#features.flushAll ? flushAll(this.#grpc) : undefined;
  }

  isFlushedAll({ channels }: Pick<FlushedServer, "channels">) {
    return isFlushedAll(this.#grpc, channels);
  }

  async rpcChannelPosition(channel: string) {
    return this.#features.rpcChannel ? rpcChannelPosition(this.#grpc, channel) : undefined;
  }

  listSegments(name: CollectionName) {
    return listSegments(this.#grpc, name);
  }

  async describeSegmentLogs(name: CollectionName, collectionId: Id, segmentIds: readonly Id[]) {
    if (!this.#features.segmentDescription) return undefined;
    // Listing tells the logs too, as it does before 2.5.8.
    if ((await this.#restClosed("the logs of segments are listed")) !== undefined) return undefined;
    return describeSegmentLogs(this.#rest, name, collectionId, segmentIds);
  }

  /** Why the REST interface is out of reach, logged once with what follows from it; undefined where it answers. */
  async #restClosed(then: string): Promise<string | undefined> {
    const reason = await this.#rest.closed();
    if (reason !== undefined && !this.#told.has(then)) {
      this.#told.add(then);
      const { base } = this.#rest;
      this.#log?.warn(`no REST interface of Milvus answers, so ${then}`, { address: base, reason });
    }
    return reason;
  }

  async pauseGarbageCollection(seconds: number): Promise<GarbageCollectionPause | undefined> {
    if (!this.#features.gcPause) return undefined;
    return pauseGarbageCollection(this.#exchange, this.#managementAddress, seconds);
  }

  resumeGarbageCollection(pause: GarbageCollectionPause): Promise<void> {
    return resumeGarbageCollection(this.#exchange, this.#managementAddress, pause);
  }

  createCollection(request: CreateCollectionRequest): Promise<void> {
    return createCollection(this.#grpc, request, this.#features.disableFunctionRuntimeCheck);
  }

  shardLimit(database: string, shards: number) {
    return shardLimit(this.#grpc, database, shards);
  }

  dropCollection(name: CollectionName): Promise<void> {
    return dropCollection(this.#grpc, name);
  }

  async renameCollection(name: CollectionName, newName: string): Promise<void> {
    // Without it early releases of 2.3 move a collection of another database into `default` (milvus#27385, #28908).
    const newDBName = name.database || defaultDatabase;
    await this.#grpc.call("RenameCollection", { oldName: name.collection, newName, newDBName }, aboutCollection(name));
  }

  async createPartition(name: CollectionName, partition: string): Promise<void> {
    const request = { collection_name: name.collection, partition_name: partition };
    await this.#grpc.call("CreatePartition", request, { ...aboutCollection(name), part: `partition ${partition}` });
  }

  async createIndex(name: CollectionName, index: CreateIndexRequest): Promise<void> {
    await this.#grpc.call(
      "CreateIndex",
      {
        collection_name: name.collection,
        field_name: index.fieldName,
        index_name: index.indexName,
        extra_params: Object.entries(index.params).map(([key, value]) => ({ key, value })),
      },
      { ...aboutCollection(name), part: `index ${index.indexName || "(unnamed)"} on ${index.fieldName}` },
    );
  }

  dropIndex(name: CollectionName, index: Pick<IndexDescription, "fieldName" | "indexName">): Promise<void> {
    return dropIndex(this.#grpc, name, index);
  }

  createAlias(name: CollectionName, alias: string): Promise<void> {
    return createAlias(this.#grpc, name, alias);
  }

  async alterAlias(name: CollectionName, alias: string): Promise<void> {
    const about = { ...aboutCollection(name), part: `alias ${alias}` };
    await this.#grpc.call("AlterAlias", { collection_name: name.collection, alias }, about);
  }

  describeAlias(database: string, alias: string): Promise<string | undefined> {
    return resolveAlias(this.#grpc, database, alias);
  }

  async load(name: CollectionName, partitions?: readonly string[]): Promise<void> {
    const request = { collection_name: name.collection };
    if (partitions === undefined) await this.#grpc.call("LoadCollection", request, aboutCollection(name));
    else {
      const some = { ...request, partition_names: [...partitions] };
      await this.#grpc.call("LoadPartitions", some, aboutCollection(name));
    }
  }

  async rowCount(name: CollectionName): Promise<bigint> {
    const request = { collection_name: name.collection };
    const answer = await this.#grpc.call<{ readonly stats: readonly KeyValue[] }>(
      "GetCollectionStatistics",
      request,
      aboutCollection(name),
    );
    return BigInt(answer.stats.find(({ key }) => key === "row_count")?.value ?? "0");
  }

  countRows(name: CollectionName) {
    return countRows(this.#grpc, name);
  }

  queryRows(name: CollectionName, query: Parameters<Milvus["queryRows"]>[1]) {
    return queryRows(this.#grpc, name, query);
  }

  search(name: CollectionName, request: VectorSearch) {
    return search(this.#grpc, name, request);
  }

  loadProblem(name: CollectionName) {
    return loadProblem(this.#grpc, name);
  }

  insertRows(name: CollectionName, rows: InsertedRows) {
    return insertRows(this.#grpc, name, rows);
  }

  async importWay(): Promise<ImportWay> {
    return (await this.#importing()).way;
  }

  async submitImport(request: ImportRequest) {
    const { api } = await this.#importing();
    try {
      return await api.submit(request);
    } catch (error) {
      throw askedError(error, `an import into ${qualifiedName(request.name)}`);
    }
  }

  async listImports(name: CollectionName, query: Partial<ImportQuery> = {}) {
    const { api } = await this.#importing();
    return api.list(name, { own: new Set(), others: "files", settled: new Set(), ...query });
  }

  #importing() {
    this.#imports ??= this.#chooseImports();
    return this.#imports;
  }

  async #chooseImports(): Promise<{ readonly way: ImportWay; readonly api: ImportApi }> {
    if (this.#features.importApi === "grpc") return { way: importWays.tasks, api: grpcImports(this.#grpc) };
    const reason = await this.#restClosed("imports are made over gRPC, one pair of directories each");
    if (reason === undefined) return { way: importWays.jobs, api: restImports(this.#rest) };
    return {
      way: { ...importWays.jobsOverGrpc, closed: { base: this.#rest.base, reason } },
      api: grpcJobs(this.#grpc),
    };
  }

  describeRbac() {
    return describeRbac(this.#grpc, () => this.listDatabases());
  }

  addRbac(addition: RbacAddition) {
    return addRbac(this.#grpc, addition);
  }

  tryCalls(of?: TriedCall["of"]) {
    return tryCalls(this.#grpc, of);
  }
}
