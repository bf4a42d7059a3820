import type { Environment } from "../../src/core/environment/environment.ts";
import { checkBackupName, checkSuffix } from "../../src/core/milvus/names.ts";
import { parseRenames } from "../../src/core/milvus/renames.ts";
import type { restore } from "../actions/restore.ts";
import { checkRootPath } from "./create-options.ts";
import type { RestoreRequest } from "./requests.ts";
import { invalid, ofDatabases, selectionOf } from "./selection.ts";

/** The options of the verb `restore`. */
export type RestoreOptions = Parameters<typeof restore>[0]["options"];

/**
 * What a request to restore is as options of the verb.
 * @throws InvalidInput for what cannot be done, naming the key
 */
export function restoreOptions(
  request: RestoreRequest,
  environment: Pick<Environment, "backupStorage">,
): RestoreOptions {
  const { backup_name: name = "" } = request;
  if (name === "") throw invalid("backup_name", "it is required");
  checkBackupName(name);
  checkTogether(request);
  checkPlace(request, environment);
  if (Object.keys(request.ezkMapping ?? {}).length > 0)
    throw invalid(
      "ezkMapping",
      "other keys of encrypted databases are said in the backup.yaml: milvus.ezkMappingPath (docs/backup-yaml.md)",
    );
  const { maxShardNum = 0, confirm = "" } = request;
  if (maxShardNum < 0) throw invalid("maxShardNum", "use a whole number from 1 on, or 0 for no limit");
  return {
    name,
    ...namesOf(request),
    ...(request.dropExistCollection && { dropExisting: true }),
    ...(request.skipCreateCollection && { skipCreate: true }),
    ...(request.metaOnly && { metadataOnly: true }),
    ...(request.rbac && { rbac: true }),
    ...(maxShardNum > 0 && { maxShards: String(maxShardNum) }),
    ...skippedOf(request),
    ...indexesOf(request),
    ...(confirm !== "" && { confirm }),
    detach: true,
  };
}

/** Which collections, and under which names. What is renamed has no suffix, and where something is nothing has. */
function namesOf(
  request: RestoreRequest,
): Pick<RestoreOptions, "collections" | "rename" | "suffix" | "filter" | "plan"> {
  const { collection_renames: renames = {}, collection_suffix: suffix = "", restorePlan: plan } = request;
  checkSuffix(suffix);
  parseRenames(renames);
  const pairs = Object.entries(renames).map(([from, to]) => `${from}:${to}`);
  const collections = selectionOf(request);
  const targets = ofDatabases("db_collections_after_rename", request.db_collections_after_rename);
  return {
    ...(collections && { collections: collections.join(",") }),
    ...(plan && { plan }),
    ...(pairs.length > 0 ? { rename: pairs.join(",") } : suffix !== "" && { suffix }),
    ...(targets && { filter: targets.join(",") }),
  };
}

/** Without `restoreIndex` there are no indexes, so nothing can be loaded, and nothing is said of how they are made. */
function indexesOf({
  restoreIndex = false,
  dropExistIndex,
  useAutoIndex,
  skipParams: { indexParams = [] } = {},
}: RestoreRequest): Pick<
  RestoreOptions,
  "index" | "load" | "rebuildIndex" | "dropExistIndex" | "useAutoIndex" | "skipIndexParams"
> {
  if (!restoreIndex) return { index: false, load: true };
  return {
    ...{ index: true, load: true, rebuildIndex: true },
    ...(dropExistIndex && { dropExistIndex: true }),
    ...(useAutoIndex && { useAutoIndex: true }),
    ...(indexParams.length > 0 && { skipIndexParams: listOf("skipParams.indexParams", indexParams) }),
  };
}

/** What is left out of fields is left out of their type and their index parameters alike. */
function skippedOf({
  skipParams: { collectionProperties = [], fieldTypeParams = [], fieldIndexParams = [] } = {},
}: RestoreRequest): Pick<RestoreOptions, "skipProperties" | "skipFieldParams"> {
  const ofFields = [
    ...(fieldTypeParams.length > 0 ? [listOf("skipParams.fieldTypeParams", fieldTypeParams)] : []),
    ...(fieldIndexParams.length > 0 ? [listOf("skipParams.fieldIndexParams", fieldIndexParams)] : []),
  ];
  return {
    ...(collectionProperties.length > 0 && {
      skipProperties: listOf("skipParams.collectionProperties", collectionProperties),
    }),
    ...(ofFields.length > 0 && {
      skipFieldParams: [...new Set(ofFields.flatMap((list) => list.split(",")))].join(","),
    }),
  };
}

function listOf(key: string, entries: readonly string[]): string {
  if (entries.some((entry) => entry.includes(",") || entry.trim() === ""))
    throw invalid(key, "a key is empty, or has a comma");
  return entries.join(",");
}

function checkTogether(request: RestoreRequest): void {
  const { restorePlan, collection_renames: renames = {} } = request;
  if (restorePlan && request.collection_suffix) throw invalid("restorePlan", "it excludes collection_suffix");
  if (restorePlan && Object.keys(renames).length > 0) throw invalid("restorePlan", "it excludes collection_renames");
  if (restorePlan && request.db_collections_after_rename)
    throw invalid("restorePlan", "it excludes db_collections_after_rename: its own filter says the same");
  if (request.skipCreateCollection && request.dropExistCollection)
    throw invalid(
      "skipCreateCollection",
      "it excludes dropExistCollection: one imports into what is there, the other replaces it",
    );
  if (request.skipCreateCollection && request.dropExistIndex && !request.restoreIndex)
    throw invalid(
      "dropExistIndex",
      "with skipCreateCollection it takes restoreIndex: an index is dropped for the backup's only",
    );
}

function checkPlace(
  { bucket_name: bucket = "", path }: RestoreRequest,
  environment: Pick<Environment, "backupStorage">,
): void {
  checkRootPath("path", path, environment);
  if (bucket === "" || bucket === environment.backupStorage.bucket) return;
  throw invalid(
    "bucket_name",
    `this server's backups lie in ${environment.backupStorage.bucket} (minio.backupBucketName); for those elsewhere start a restore with the command (restore --from)`,
  );
}
