import { PipelineError } from "../../../src/core/execution/errors.ts";
import { defaultDatabase, qualifiedName } from "../../../src/core/milvus/names.ts";
import { features } from "../../../src/core/milvus/version.ts";
import type {
  CollectionDescription,
  CollectionName,
  CreateCollectionRequest,
  CreateIndexRequest,
  DatabaseDescription,
  Id,
  IndexDescription,
  KeyValue,
  PartitionDescription,
  SchemaDescription,
} from "../../../src/ports/milvus.ts";
import type { MemoryCollection } from "./collection.ts";

export interface CatalogOptions {
  readonly address: string;
  readonly version: string;
  /** `proxy.maxShardNum` */
  readonly maxShards: number;
  /** What it makes of a schema otherwise than it was asked. */
  readonly creates?: ((request: CreateCollectionRequest) => Partial<SchemaDescription>) | undefined;
}

/** Databases, collections, partitions, indexes and aliases, found and refused as Milvus finds and refuses them. */
export class MemoryCatalog {
  readonly #options: CatalogOptions;
  readonly #databases = new Map<string, DatabaseDescription>();
  /** By qualified name. */
  readonly #collections = new Map<string, MemoryCollection>();
  #nextId = 470_000_000_000_000_001n;

  constructor(options: CatalogOptions) {
    this.#options = options;
    this.#databases.set(defaultDatabase, { name: defaultDatabase, id: "1", properties: [] });
  }

  newId(): Id {
    this.#nextId += 1n;
    return String(this.#nextId);
  }

  refused(call: string, reason: string): PipelineError {
    const { address } = this.#options;
    const details = { mayHaveBegun: false };
    return new PipelineError("MilvusFailed", `Milvus at ${address} refused ${call}: ${reason}`, { details });
  }

  get databases(): string[] {
    return [...this.#databases.keys()];
  }

  database(name: string): DatabaseDescription {
    const database = this.#databases.get(name);
    if (!database) throw this.refused("DescribeDatabase", `database not found: ${name}`);
    return database;
  }

  createDatabase(name: string, properties: readonly KeyValue[]): void {
    if (this.#databases.has(name)) throw this.refused("CreateDatabase", `database already exist: ${name}`);
    const id = features(this.#options.version).describeDatabase ? this.newId() : "0";
    this.#databases.set(name, { name, id, properties: [...properties] });
  }

  get all(): readonly MemoryCollection[] {
    return [...this.#collections.values()];
  }

  inDatabase(database: string): MemoryCollection[] {
    return this.all.filter(({ description }) => description.name.database === database);
  }

  /** By name or, as in Milvus, by alias. */
  find(name: CollectionName): MemoryCollection | undefined {
    return (
      this.#collections.get(qualifiedName(name)) ??
      this.inDatabase(name.database || defaultDatabase).find(({ description }) =>
        description.aliases.includes(name.collection),
      )
    );
  }

  get(name: CollectionName): MemoryCollection {
    const collection = this.find(name);
    if (collection) return collection;
    throw new PipelineError(
      "CollectionNotFound",
      `collection ${qualifiedName(name)} does not exist in Milvus at ${this.#options.address}`,
    );
  }

  /** Puts a collection in, and its database where that is not there. */
  put(
    description: CollectionDescription,
    parts: Partial<Omit<MemoryCollection, "description" | "imports" | "inserted">> = {},
  ): void {
    const { database } = description.name;
    if (!this.#databases.has(database)) this.createDatabase(database, []);
    this.#collections.set(qualifiedName(description.name), {
      description,
      partitions: parts.partitions ?? [{ id: this.newId(), name: "_default" }],
      indexes: parts.indexes ?? [],
      segments: parts.segments ?? [],
      growing: parts.growing ?? [],
      loaded: parts.loaded ?? new Map(),
      imports: [],
      inserted: [],
    });
  }

  create(request: CreateCollectionRequest): void {
    const { name, schema } = request;
    const { id: databaseId } = this.database(name.database);
    const { maxShards, creates } = this.#options;
    if (request.shards > maxShards) {
      throw this.refused("CreateCollection", `maximum shards's number should be limited to ${maxShards}`);
    }
    // stricter than 2.3.5, which takes the same request twice where there is no dynamic field
    if (this.find(name)) throw this.refused("CreateCollection", `collection already exists: ${qualifiedName(name)}`);
    const id = this.newId();
    const description = {
      name,
      id,
      databaseId,
      schema: { ...schema, ...numberedSchema(request), ...creates?.(request), name: name.collection },
      shards: request.shards,
      consistencyLevel: request.consistencyLevel,
      properties: [...request.properties],
      aliases: [],
      createdTimestamp: this.newId(),
      virtualChannels: channels(request.shards, (shard) => `by-dev-rootcoord-dml_${shard}_${id}v${shard}`),
      physicalChannels: channels(request.shards, (shard) => `by-dev-rootcoord-dml_${shard}`),
    };
    this.put(description, { partitions: this.#newPartitions(request) });
  }

  drop(name: CollectionName): void {
    if (!this.#collections.has(qualifiedName(name)) && this.find(name)) {
      throw this.refused("DropCollection", `cannot drop the collection via alias = ${name.collection}`);
    }
    // as in Milvus, dropping what is not there is no error
    this.#collections.delete(qualifiedName(name));
  }

  rename(name: CollectionName, newName: string): void {
    const collection = this.get(name);
    const target = { database: name.database, collection: newName };
    if (this.find(target)) {
      throw this.refused("RenameCollection", `duplicated new collection name ${qualifiedName(target)}`);
    }
    this.#collections.delete(qualifiedName(name));
    const { schema } = collection.description;
    collection.description = { ...collection.description, name: target, schema: { ...schema, name: newName } };
    this.#collections.set(qualifiedName(target), collection);
  }

  createPartition(name: CollectionName, partition: string): void {
    const { partitions } = this.get(name);
    if (!partitions.some((existing) => existing.name === partition)) {
      partitions.push({ id: this.newId(), name: partition });
    }
  }

  createIndex(name: CollectionName, index: CreateIndexRequest): void {
    const { indexes, description } = this.get(name);
    if (!description.schema.fields.some((field) => field.name === index.fieldName)) {
      throw this.refused("CreateIndex", `cannot create index on non-exist field: ${index.fieldName}`);
    }
    const indexName = index.indexName || index.fieldName;
    const existing = indexes.find((other) => other.indexName === indexName || other.fieldName === index.fieldName);
    if (existing) {
      if (existing.indexName === indexName && same(existing.params, index.params)) return;
      throw this.refused("CreateIndex", "at most one distinct index is allowed per field");
    }
    indexes.push({ id: this.newId(), fieldName: index.fieldName, indexName, params: index.params });
  }

  dropIndex(name: CollectionName, { indexName }: Pick<IndexDescription, "indexName">): void {
    const { indexes, loaded } = this.get(name);
    // as in Milvus 2.3.5
    if (loaded.size > 0)
      throw this.refused("DropIndex", "index cannot be dropped, collection is loaded, please release it first");
    indexes.splice(0, indexes.length, ...indexes.filter((index) => index.indexName !== indexName));
  }

  createAlias(name: CollectionName, alias: string): void {
    const collection = this.get(name);
    if (collection.description.aliases.includes(alias)) return;
    if (this.find({ database: name.database, collection: alias })) {
      throw this.refused("CreateAlias", `${alias} is the name of a collection or an alias already`);
    }
    const { description } = collection;
    collection.description = { ...description, aliases: [...description.aliases, alias] };
  }

  alterAlias(name: CollectionName, alias: string): void {
    const collection = this.get(name);
    const holder = this.holderOf(name.database, alias);
    if (!holder) throw this.refused("AlterAlias", `alias not found: ${alias}`);
    const without = holder.description.aliases.filter((other) => other !== alias);
    holder.description = { ...holder.description, aliases: without };
    collection.description = { ...collection.description, aliases: [...collection.description.aliases, alias] };
  }

  /** The collection that an alias points to. */
  holderOf(database: string, alias: string): MemoryCollection | undefined {
    return this.inDatabase(database).find(({ description }) => description.aliases.includes(alias));
  }

  #newPartitions(request: CreateCollectionRequest): PartitionDescription[] {
    const keyed = request.schema.fields.some(({ isPartitionKey }) => isPartitionKey);
    // Milvus makes 16 in 2.4 and newer, 64 before, where nobody says how many
    const names = keyed
      ? Array.from({ length: request.partitionCount ?? 64 }, (_, index) => `_default_${index}`)
      : ["_default"];
    return names.map((name) => ({ id: this.newId(), name }));
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
