import { decodeSchemaMessage } from "../../../src/adapters/milvus/protocol.ts";
import { defaultDatabase } from "../../../src/core/milvus/names.ts";
import { type Call, type CallsOf, collectionName } from "./calls.ts";
import { defaultPartition, mergedProperties } from "./model.ts";
import type { FakeCollection, KeyValue } from "./records.ts";
import { notFound, Refusal, unexpected } from "./refusal.ts";
import { checkSchema, describedSchema, withAddedField } from "./schema.ts";

/** Databases, collections, partitions and aliases. */
export const catalogCalls: CallsOf = (model) => {
  const collectionOf = (call: Call) => model.collection(call.database, collectionName(call));
  const pairs = (value: unknown) => (value as KeyValue[]).map(({ key, value: text }) => ({ key, value: text }));

  function refuseTaken(databaseName: string, name: string): void {
    const database = model.database(databaseName);
    if (database.aliases.has(name)) throw unexpected(`collection name [${name}] conflicts with an existing alias`);
  }

  return {
    ListDatabases: () => {
      const databases = [...model.databases.values()];
      return {
        db_names: databases.map(({ name }) => name),
        created_timestamp: databases.map(({ createdTimestamp }) => createdTimestamp),
        db_ids: databases.map(({ id }) => id),
      };
    },

    DescribeDatabase: ({ request, database }) => {
      const { name, id, createdTimestamp, properties } = model.database(String(request.db_name || database));
      return { db_name: name, dbID: id, created_timestamp: createdTimestamp, properties };
    },

    CreateDatabase: ({ request }) => {
      const name = String(request.db_name);
      if (!/^[A-Za-z_]\w*$/.test(name)) {
        throw new Refusal("parameterInvalid", `: database name should not be empty or illegal: ${name}`);
      }
      model.addDatabase(name, pairs(request.properties ?? []));
    },

    DropDatabase: ({ request }) => {
      const name = String(request.db_name);
      if (name === defaultDatabase) throw unexpected("can not drop default database");
      if ((model.databases.get(name)?.collections.size ?? 0) > 0) {
        throw unexpected(`database:${name} not empty, must drop all collections before drop database`);
      }
      model.databases.delete(name);
    },

    ShowCollections: ({ database }) => {
      const collections = [...model.database(database).collections.values()];
      return {
        collection_names: collections.map(({ name }) => name),
        collection_ids: collections.map(({ id }) => id),
        created_timestamps: collections.map(({ createdTimestamp }) => createdTimestamp),
        shards_num: collections.map(({ shards }) => shards),
      };
    },

    HasCollection: (call) => ({ value: model.find(call.database, collectionName(call)) !== undefined }),

    DescribeCollection: (call) => {
      const collection = collectionOf(call);
      const { database } = collection;
      return {
        schema: describedSchema({ ...collection.schema, name: collection.name }),
        collectionID: collection.id,
        collection_name: collection.name,
        db_name: database.name,
        db_id: database.id,
        virtual_channel_names: collection.channels,
        physical_channel_names: collection.channels.map(physicalChannel),
        created_timestamp: collection.createdTimestamp,
        created_utc_timestamp: String(BigInt(collection.createdTimestamp) >> 18n),
        shards_num: collection.shards,
        aliases: aliasesOf(collection),
        consistency_level: collection.consistencyLevel,
        properties: collection.properties,
        num_partitions: String(collection.partitions.length),
      };
    },

    CreateCollection: ({ request, database }) => {
      const shards = Number(request.shards_num);
      if (shards > model.maxShards) {
        const why = `maximum shards's number should be limited to ${model.maxShards}`;
        throw new Refusal("parameterInvalid", `: ${why}: invalid parameter`);
      }
      model.database(database);
      const schema = decodeSchemaMessage("CollectionSchema", request.schema as Uint8Array);
      checkSchema(schema);
      const name = String(request.collection_name);
      refuseTaken(database, name);
      if (model.database(database).collections.has(name)) {
        throw unexpected(`create duplicate collection with different parameters, collection: ${name}`);
      }
      model.addCollection({
        database,
        name,
        schema,
        shards,
        consistencyLevel: request.consistency_level as number,
        properties: mergedProperties(pairs(request.properties ?? [])),
        partitionCount: Number(request.num_partitions ?? 0),
      });
    },

    AlterCollection: (call) => {
      const collection = collectionOf(call);
      const deleted = new Set((call.request.delete_keys as string[] | undefined) ?? []);
      const merged = mergedProperties(collection.properties, pairs(call.request.properties ?? []));
      collection.properties = merged.filter(({ key }) => !deleted.has(key));
    },

    AddCollectionField: (call) => {
      const collection = collectionOf(call);
      const field = decodeSchemaMessage("FieldSchema", call.request.schema as Uint8Array);
      collection.schema = withAddedField(collection.schema, field);
    },

    DropCollection: (call) => {
      const collection = model.find(call.database, collectionName(call));
      if (!collection) return;
      const aliases = aliasesOf(collection);
      if (aliases.length > 0) {
        throw unexpected(
          `unable to drop the collection [${collection.name}] because it has associated aliases [${aliases.join(" ")}], ` +
            "please remove all aliases before dropping the collection",
        );
      }
      collection.database.collections.delete(collection.name);
    },

    RenameCollection: ({ request, database }) => {
      const [oldName, newName] = [String(request.oldName), String(request.newName)];
      const target = model.database(String(request.newDBName || database));
      const source = model.database(database);
      const collection = source.collections.get(oldName);
      if (!collection) {
        if (source.aliases.has(oldName))
          throw unexpected(`unsupported use an alias to rename collection, alias:${oldName}`);
        throw notFound("collectionNotFound", { database: source.name, collection: oldName });
      }
      if (target.collections.has(newName) || target.aliases.has(newName)) {
        throw unexpected(
          `duplicated new collection name ${target.name}:${newName} with other collection name or alias`,
        );
      }
      if (target !== source && aliasesOf(collection).length > 0) {
        throw unexpected("fail to rename db name, must drop all aliases of this collection before rename");
      }
      source.collections.delete(oldName);
      collection.name = newName;
      target.collections.set(newName, target === source ? collection : { ...collection, database: target });
    },

    ShowPartitions: (call) => {
      const { partitions, createdTimestamp } = collectionOf(call);
      return {
        partition_names: partitions.map(({ name }) => name),
        partitionIDs: partitions.map(({ id }) => id),
        created_timestamps: partitions.map(() => createdTimestamp),
      };
    },

    HasPartition: (call) => {
      const { partitions } = collectionOf(call);
      return { value: partitions.some(({ name }) => name === call.request.partition_name) };
    },

    CreatePartition: (call) => {
      const collection = collectionOf(call);
      const name = String(call.request.partition_name);
      if (collection.schema.fields.some(({ is_partition_key }) => is_partition_key === true)) {
        throw unexpected("disable create partition if partition key mode is used");
      }
      // one that is there is no error
      if (collection.partitions.some((partition) => partition.name === name)) return;
      collection.partitions.push({ name, id: model.newId() });
    },

    DropPartition: (call) => {
      const collection = collectionOf(call);
      const name = String(call.request.partition_name);
      if (name === defaultPartition) throw unexpected("default partition cannot be deleted");
      const at = collection.partitions.findIndex((partition) => partition.name === name);
      const [dropped] = at < 0 ? [] : collection.partitions.splice(at, 1);
      collection.segments = collection.segments.filter(({ partitionId }) => partitionId !== dropped?.id);
    },

    CreateAlias: (call) => {
      const { request, database } = call;
      const alias = String(request.alias);
      const { collections, aliases, name } = model.database(database);
      if (collections.has(alias)) {
        throw new Refusal("aliasCollectionConflict", `[database=${name}][alias=${alias}]`);
      }
      const collection = collectionOf(call);
      const other = aliases.get(alias);
      if (other && other !== collection) {
        const detail = `: ${alias} is alias to another collection: ${other.name}`;
        throw new Refusal("aliasAlreadyExists", `[database=${name}][alias=${alias}]${detail}`);
      }
      aliases.set(alias, collection);
    },

    AlterAlias: (call) => {
      const alias = String(call.request.alias);
      const { aliases, name } = model.database(call.database);
      if (!aliases.has(alias)) throw notFound("aliasNotFound", { database: name, alias });
      aliases.set(alias, collectionOf(call));
    },

    DropAlias: ({ request, database }) => {
      model.database(database).aliases.delete(String(request.alias));
    },

    ListAliases: (call) => {
      const { aliases } = model.database(call.database);
      const only = collectionName(call) === "" ? undefined : collectionOf(call);
      const names = [...aliases].filter(([, collection]) => !only || collection === only).map(([alias]) => alias);
      return { db_name: call.database, collection_name: only?.name ?? "", aliases: names };
    },

    DescribeAlias: ({ request, database }) => {
      const alias = String(request.alias);
      const found = model.database(database).aliases.get(alias);
      if (!found) throw notFound("aliasNotFound", { database: database || defaultDatabase, alias });
      return { db_name: found.database.name, alias, collection: found.name };
    },
  };
};

function aliasesOf(collection: FakeCollection): string[] {
  return [...collection.database.aliases].filter(([, other]) => other === collection).map(([alias]) => alias);
}

/** `by-dev-rootcoord-dml_0` of `by-dev-rootcoord-dml_0_4532408638397508v0` */
export function physicalChannel(virtual: string): string {
  return virtual.replace(/_[^_]*$/, "");
}
