import { defaultDatabase } from "../../../src/core/milvus/names.ts";
import { isAtLeast } from "../../../src/core/milvus/version.ts";
import type { BinlogStore } from "./binlog-store.ts";
import { ImportJobs } from "./import-jobs.ts";
import { Rbac } from "./rbac.ts";
import type {
  FakeCollection,
  FakeDatabase,
  FakePartition,
  FakeSegment,
  JournalEntry,
  KeyValue,
  SeededCollection,
} from "./records.ts";
import { notFound, unexpected } from "./refusal.ts";
import { withFieldIds } from "./schema.ts";

export interface ModelOptions {
  readonly version: string;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** `proxy.maxShardNum`; 16. */
  readonly maxShards?: number | undefined;
  /** The object store of the server; imports find nothing where absent. */
  readonly store?: BinlogStore | undefined;
  /**
   * Import jobs go on with every question about them, and what the server does not know is refused. Otherwise a test says how jobs go on and
   * what segments have, and may ask about collections that nobody made. With a store unless said otherwise.
   */
  readonly alive?: boolean | undefined;
}

export const defaultPartition = "_default";
/** `common.DefaultPartitionsWithPartitionKey` of 2.4 and later. */
const keyPartitions = 16;

/** What a Milvus knows, behind all its interfaces. */
export class FakeModel {
  readonly version: string;
  readonly maxShards: number;
  readonly store: BinlogStore | undefined;
  readonly alive: boolean;
  readonly databases = new Map<string, FakeDatabase>();
  readonly jobs: ImportJobs;
  /** Every request of every interface, in order. */
  readonly journal: JournalEntry[] = [];
  readonly rbac: Rbac;
  #nextId = 453_240_863_839_700_000n;

  constructor(options: ModelOptions) {
    this.version = options.version;
    this.maxShards = options.maxShards ?? 16;
    this.store = options.store;
    this.alive = options.alive ?? options.store !== undefined;
    this.jobs = new ImportJobs(this);
    this.rbac = new Rbac(this.isAtLeast("2.5.0"), options.user, options.password);
    this.databases.set(defaultDatabase, newDatabase(defaultDatabase, "1", this.timestamp(), []));
  }

  isAtLeast(version: string): boolean {
    return isAtLeast(this.version, version);
  }

  /** IDs above 2^53, as Milvus gives them out. */
  newId(): string {
    this.#nextId += 7n;
    return String(this.#nextId);
  }

  /** A hybrid timestamp of now, decimal. */
  timestamp(): string {
    return String(BigInt(Date.now()) << 18n);
  }

  database(name: string): FakeDatabase {
    const database = this.databases.get(name || defaultDatabase);
    if (!database) throw notFound("databaseNotFound", { database: name });
    return database;
  }

  addDatabase(name: string, properties: readonly KeyValue[] = []): FakeDatabase {
    if (this.databases.has(name)) throw unexpected(`database already exist: ${name}`);
    const database = newDatabase(name, this.newId(), this.timestamp(), properties);
    this.databases.set(name, database);
    return database;
  }

  /** By its name or by an alias of it; undefined where there is none. */
  find(databaseName: string, name: string): FakeCollection | undefined {
    const database = this.database(databaseName);
    return database.collections.get(name) ?? database.aliases.get(name);
  }

  /** By its name or by an alias of it. */
  collection(database: string, name: string): FakeCollection {
    const found = this.find(database, name);
    if (!found) throw notFound("collectionNotFound", { database: database || defaultDatabase, collection: name });
    return found;
  }

  collectionById(id: string): FakeCollection | undefined {
    return [...this.databases.values()]
      .flatMap(({ collections }) => [...collections.values()])
      .find((c) => c.id === id);
  }

  partition(collection: FakeCollection, name: string): FakePartition {
    const found = collection.partitions.find((partition) => partition.name === name);
    if (!found) throw notFound("partitionNotFound", { partition: name });
    return found;
  }

  /** Makes a collection as CreateCollection does, or with everything that a test says of it. */
  addCollection(seeded: SeededCollection): FakeCollection {
    const databaseName = seeded.database || defaultDatabase;
    const database = this.databases.get(databaseName) ?? this.addDatabase(databaseName);
    const id = seeded.id ?? this.newId();
    const shards = seeded.shards || 1;
    const schema = withFieldIds({ ...seeded.schema, name: seeded.name }, (step) => this.isAtLeast(step));
    const hasKey = schema.fields.some(({ is_partition_key }) => is_partition_key === true);
    const count = seeded.partitionCount || keyPartitions;
    const partitions = seeded.partitions ?? (hasKey ? keyPartitionNames(count) : [defaultPartition]);
    const collection: FakeCollection = {
      id,
      name: seeded.name,
      database,
      schema,
      shards,
      consistencyLevel: seeded.consistencyLevel ?? 0,
      properties: [...(seeded.properties ?? [])],
      createdTimestamp: this.timestamp(),
      channels: Array.from({ length: shards }, (_, shard) => `by-dev-rootcoord-dml_${shard}_${id}v${shard}`),
      partitions: partitions.map((one) => (typeof one === "string" ? { name: one, id: this.newId() } : one)),
      indexes: (seeded.indexes ?? []).map((index) => ({ ...index, id: this.newId() })),
      segments: [],
      loaded: new Set(seeded.loaded === true ? ["all"] : seeded.loaded || []),
    };
    for (const segment of seeded.segments ?? []) this.addSegment(collection, segment);
    database.collections.set(collection.name, collection);
    for (const alias of seeded.aliases ?? []) database.aliases.set(alias, collection);
    return collection;
  }

  /** What is not said is as in a flushed segment of the first partition without logs. */
  addSegment(collection: FakeCollection, segment: Partial<FakeSegment> & Pick<FakeSegment, "id">): FakeSegment {
    const level = segment.level ?? "L1";
    const added: FakeSegment = {
      partitionId: level === "L0" ? "-1" : (collection.partitions[0]?.id ?? "0"),
      rows: 0n,
      level,
      state: "Flushed",
      storageVersion: "0",
      channel: collection.channels[0] ?? "",
      insertLogs: [],
      deltaLogs: [],
      isSorted: false,
      ...segment,
    };
    collection.segments.push(added);
    return added;
  }
}

function newDatabase(
  name: string,
  id: string,
  createdTimestamp: string,
  properties: readonly KeyValue[],
): FakeDatabase {
  return { name, id, createdTimestamp, properties: [...properties], collections: new Map(), aliases: new Map() };
}

function keyPartitionNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${defaultPartition}_${index}`);
}

/** As Milvus lists a collection's pairs: a key once, the later one winning, in the order in which they came. */
export function mergedProperties(...lists: readonly (readonly KeyValue[])[]): KeyValue[] {
  return [...new Map(lists.flat().map(({ key, value }) => [key, value]))].map(([key, value]) => ({ key, value }));
}
