import { decodeSchemaMessage } from "../../../src/adapters/milvus/protocol.ts";
import { encodeSchema } from "../../../src/adapters/milvus/schema.ts";
import type { CollectionBackup, SegmentBackup } from "../../../src/core/format/meta.ts";
import { parseFullMeta } from "../../../src/core/format/meta-files.ts";
import { toSchemaDescription } from "../../../src/core/milvus/schema-mapping.ts";
import { goldenFiles, goldenLogs } from "../golden-backup.ts";
import { collectionRequest, field, floatVector, int64, varChar } from "../milvus-fields.ts";
import type { FakeModel } from "./model.ts";
import type { FakeCollection, FieldLogs } from "./records.ts";

/** Puts an object into the server's bucket. */
type Put = (key: string, bytes: Buffer) => Promise<void> | void;

const allTypes = "all_types";
/** IDs behind those of the golden backup. */
const levelZero = { all: "470615367219560001", ofPartition: "470615367219560002" } as const;

/**
 * A server with the collections and the real logs of the golden backup, and what its version has besides: L0 segments, of all partitions and
 * of one, users and roles; functions, nullable fields and privilege groups from 2.5; an encrypted database from 2.6.
 */
export async function seedGoldenServer(model: FakeModel, put: Put, rootPath: string): Promise<void> {
  const logs = goldenLogs();
  const { value: backup } = parseFullMeta(goldenFiles.full_meta);
  for (const { db_name: name } of backup.database_backups) {
    if (!model.databases.has(name)) model.addDatabase(name, [{ key: "database.replica.number", value: "1" }]);
  }
  for (const collection of backup.collection_backups) {
    addCollection(model, collection);
    for (const segment of collection.partition_backups.flatMap((partition) => partition.segment_backups)) {
      await putLogs(segment, logs, put, rootPath);
    }
  }
  await addLevelZero(model, logs, put, rootPath);
  addUsers(model);
  if (model.isAtLeast("2.5.0")) addDocuments(model);
  if (model.isAtLeast("2.6.0")) {
    model.addDatabase("vault", [
      { key: "cipher.enabled", value: "true" },
      { key: "cipher.key", value: "arn:aws:kms:us-east-1:000000000000:key/vault" },
      { key: "cipher.ezID", value: "470615367219570001" },
    ]);
  }
}

function addCollection(model: FakeModel, record: CollectionBackup): FakeCollection {
  const schema = toSchemaDescription(record.schema);
  const partitions = record.partition_backups.map(({ partition_name: name, partition_id: id }) => ({
    name,
    id: String(id),
  }));
  return model.addCollection({
    database: record.db_name,
    name: record.collection_name,
    id: String(record.collection_id),
    schema: decodeSchemaMessage("CollectionSchema", encodeSchema(record.collection_name, schema)),
    partitions,
    shards: record.shards_num,
    consistencyLevel: record.consistency_level,
    properties: record.properties,
    aliases: record.aliases,
    loaded: record.load_state === "Loaded",
    indexes: record.index_infos.map((index) => ({
      name: index.index_name,
      fieldName: index.field_name,
      params: Object.entries(index.params).map(([key, value]) => ({ key, value: String(value) })),
    })),
    segments: record.partition_backups.flatMap(({ segment_backups: segments, partition_id: partitionId }) =>
      segments.map((segment) => ({
        id: String(segment.segment_id),
        partitionId: String(partitionId),
        rows: segment.num_of_rows,
        insertLogs: segment.binlogs.map(fieldLogs),
        deltaLogs: segment.deltalogs.filter(({ binlogs }) => binlogs.length > 0).map(fieldLogs),
      })),
    ),
  });
}

function fieldLogs({ fieldID, binlogs }: SegmentBackup["binlogs"][number]): FieldLogs {
  return { fieldID: String(fieldID), logIDs: binlogs.map(({ log_id: id }) => String(id)) };
}

/** From `<kind>/<collection>/<partition>/<group>/<segment>/...` of the backup to the path without its group that Milvus has. */
async function putLogs(
  segment: SegmentBackup,
  logs: ReadonlyMap<string, Buffer>,
  put: Put,
  rootPath: string,
): Promise<void> {
  const group = `/${segment.segment_id}/${segment.segment_id}/`;
  for (const [key, bytes] of logs) {
    if (key.includes(group)) await put(`${rootPath}/${key.replace(group, `/${segment.segment_id}/`)}`, bytes);
  }
}

async function addLevelZero(
  model: FakeModel,
  logs: ReadonlyMap<string, Buffer>,
  put: Put,
  rootPath: string,
): Promise<void> {
  const collection = model.collection("default", allTypes);
  const [, deletes] = [...logs].find(([key]) => key.startsWith(`delta_log/${collection.id}/`)) ?? [];
  if (!deletes) throw new Error("the golden backup has no deletes");
  const partition = collection.partitions.at(-1)?.id ?? "";
  for (const [id, partitionId] of [
    [levelZero.all, "-1"],
    [levelZero.ofPartition, partition],
  ] as const) {
    const log = model.newId();
    await put(`${rootPath}/delta_log/${collection.id}/${partitionId}/${id}/${log}`, deletes);
    model.addSegment(collection, {
      id,
      partitionId,
      level: "L0",
      rows: 1n,
      deltaLogs: [{ fieldID: "0", logIDs: [log] }],
    });
  }
}

function addUsers({ rbac }: FakeModel): void {
  rbac.createUser("reader", "r3ader-secret");
  rbac.createRole("readers");
  rbac.addMember("reader", "readers");
  rbac.grant({
    role: "readers",
    object: "Collection",
    objectName: allTypes,
    database: "default",
    privilege: "Search",
    grantor: "root",
  });
  if (!rbac.hasGroups) return;
  rbac.createGroup("lookers");
  rbac.groups.set("lookers", ["Query", "Search"]);
}

/** A collection without rows, as its functions would have to be run for them. */
function addDocuments(model: FakeModel): void {
  const { schema } = collectionRequest("docs");
  const fields = [
    field("id", int64, { isPrimaryKey: true, autoId: true }),
    field("text", varChar, {
      typeParams: [
        { key: "max_length", value: "1000" },
        { key: "enable_analyzer", value: "true" },
      ],
    }),
    field("count", int64, { nullable: true }),
    field("vec", floatVector, { typeParams: [{ key: "dim", value: "8" }] }),
    field("sparse", 104, { isFunctionOutput: true }),
  ];
  const functions = [
    {
      id: "0",
      name: "bm25",
      description: "full text",
      type: 1,
      inputFieldNames: ["text"],
      inputFieldIds: [],
      outputFieldNames: ["sparse"],
      outputFieldIds: [],
      params: [],
    },
  ];
  model.addCollection({
    database: "shop",
    name: "docs",
    schema: decodeSchemaMessage("CollectionSchema", encodeSchema("docs", { ...schema, fields, functions })),
    shards: 2,
    consistencyLevel: 1,
    indexes: [
      {
        name: "vec",
        fieldName: "vec",
        params: [
          { key: "index_type", value: "AUTOINDEX" },
          { key: "metric_type", value: "L2" },
        ],
      },
      {
        name: "sparse",
        fieldName: "sparse",
        params: [
          { key: "index_type", value: "SPARSE_INVERTED_INDEX" },
          { key: "metric_type", value: "BM25" },
        ],
      },
    ],
  });
}
