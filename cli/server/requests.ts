import * as z from "zod";
import { messageOf } from "../../src/core/execution/errors.ts";
import { parseRequest } from "../../src/core/execution/parse-request.ts";
import { restorePlanFile } from "../../src/core/plan/restore-plan-file.ts";

/** The requests of milvus-backup 0.5.16's REST API, field by field (docs/server.md says what becomes of each). */

const names = z.array(z.string());
const flag = z.boolean().optional();
const text = z.string().optional();
/** Go's int32. */
const int32 = z.int32().optional();

/** `{"db1": ["coll1"], "db2": []}`, where an empty list is the whole database; as an object, or as the JSON text of one. */
const databaseCollections = z.union([z.string(), z.record(z.string(), names)], {
  error: 'expected {"db1": ["coll1"], "db2": []}, or that as text',
});

/** `{"db1": {"colls": ["coll1"]}, "db2": {"colls": ["*"]}}` */
const filter = z.record(z.string(), z.strictObject({ colls: names.optional() }));

/** Body of `POST /create`. */
export const createRequest = z.strictObject({
  requestId: text,
  backup_name: text,
  collection_names: names.optional(),
  async: flag,
  db_collections: databaseCollections.optional(),
  force: flag,
  meta_only: flag,
  gc_pause_enable: flag,
  gc_pause_seconds: int32,
  gc_pause_address: text,
  rbac: flag,
  backup_root_path: text,
  filter: filter.optional(),
  strategy: text,
  with_index_extra: flag,
});
export type CreateRequest = z.infer<typeof createRequest>;

/** Body of `POST /restore`; `confirm` is our own: a protected environment is named twice. */
export const restoreRequest = z.strictObject({
  requestId: text,
  backup_name: text,
  collection_names: names.optional(),
  collection_suffix: text,
  collection_renames: z.record(z.string(), z.string()).optional(),
  async: flag,
  bucket_name: text,
  path: text,
  db_collections: databaseCollections.optional(),
  metaOnly: flag,
  restoreIndex: flag,
  useAutoIndex: flag,
  dropExistCollection: flag,
  dropExistIndex: flag,
  skipCreateCollection: flag,
  id: text,
  skipImportDiskQuotaCheck: flag,
  rbac: flag,
  maxShardNum: int32,
  skipParams: z
    .strictObject({
      collectionProperties: names.optional(),
      fieldIndexParams: names.optional(),
      fieldTypeParams: names.optional(),
      indexParams: names.optional(),
    })
    .optional(),
  useV2Restore: flag,
  truncateBinlogByTs: flag,
  db_collections_after_rename: databaseCollections.optional(),
  restorePlan: restorePlanFile.optional(),
  ezkMapping: z.record(z.string(), z.string()).optional(),
  confirm: text,
});
export type RestoreRequest = z.infer<typeof restoreRequest>;

/** A body that is no JSON of its request: an HTTP 400 of its own, as in milvus-backup. */
export class BadBody extends Error {
  override readonly name = "BadBody";
}

/**
 * Reads a body. `null` is as if the key were not there, as in Go; a key that nobody knows is refused, where milvus-backup reads over it: a
 * misspelt `collection_names` would be a backup of everything.
 * @throws BadBody, naming the keys and what is accepted
 */
export function parseBody<Schema extends z.ZodType>(schema: Schema, body: string): z.output<Schema> {
  try {
    return parseRequest(schema, withoutNulls(JSON.parse(body)) ?? {});
  } catch (error) {
    throw new BadBody(`invalid request body: ${error instanceof SyntaxError ? "it is no JSON" : messageOf(error)}`);
  }
}

function withoutNulls(value: unknown): unknown {
  if (value === null) return undefined;
  if (typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, entry]) => (entry === null ? [] : [[key, withoutNulls(entry)]])),
  );
}
