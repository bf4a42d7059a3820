import type { BackupLayout, StagingLayout } from "../format/layout.ts";
import type { BackupInfo, CollectionBackup } from "../format/meta.ts";
import type { CollectionName, CreateCollectionRequest, CreateIndexRequest } from "../milvus/descriptions.ts";
import { defaultDatabase } from "../milvus/names.ts";
import { damagedDefaults, toCreateIndexRequests, toCreateRequest } from "../milvus/schema-mapping.ts";
import { features } from "../milvus/version.ts";
import { type ImportPlan, type PlannedImport, planImports } from "./imports.ts";
import { type RestoreName, workingName } from "./restore-names.ts";

/** Everything a restore is going to do; a file in the work bucket, written by Prepare Restore. */
export interface RestorePlan {
  readonly restoreId: string;
  readonly backupName: string;
  readonly backupId: string;
  /** What identifies the restored names among executions. */
  readonly leaseSubject: string;
  readonly dropExisting: boolean;
  readonly databases: readonly PlannedDatabase[];
  readonly collections: readonly PlannedRestore[];
  /** Below this prefix of the target's Milvus bucket lies what is staged; deleted at the end. */
  readonly stagingPrefix: string;
  readonly warnings: readonly string[];
  /** For progress displays. */
  readonly totals: {
    readonly collections: number;
    readonly segments: number;
    readonly bytes: number;
    readonly rows: string;
    readonly imports: number;
  };
}

export interface PlannedDatabase {
  readonly name: string;
  readonly properties: readonly { readonly key: string; readonly value: string }[];
}

export interface PlannedRestore {
  readonly source: CollectionName;
  readonly target: CollectionName;
  /** The name it has until it is complete; the target itself under `skipCreate` and where Milvus cannot rename (before 2.2.9). */
  readonly working: CollectionName;
  /** Absent under `skipCreate`. */
  readonly create?: CreateCollectionRequest;
  /** Partitions to create; Milvus makes `_default` and those of a partition key itself. */
  readonly partitions: readonly string[];
  readonly indexes: readonly CreateIndexRequest[];
  readonly aliases: readonly string[];
  /** What to load at the end: everything, some partitions, or nothing. */
  readonly load: "all" | "none" | { readonly partitions: readonly string[] };
  readonly imports: readonly PlannedImport[];
}

export interface RestoreOptions {
  readonly skipCreate: boolean;
  readonly metadataOnly: boolean;
  readonly indexes: boolean;
  readonly load: boolean;
}

/**
 * Plans one collection.
 * @param context.firstTask number of its first import within the restore
 */
export function planRestore(
  collection: CollectionBackup,
  name: RestoreName,
  context: {
    readonly restoreId: string;
    readonly version: string;
    readonly backup: BackupLayout;
    readonly staging: StagingLayout;
    readonly inPlace: boolean;
    readonly firstTask: number;
    readonly options: RestoreOptions;
  },
): { restore: PlannedRestore; segments: ImportPlan["segments"]; warnings: readonly string[] } {
  const { options } = context;
  const target = features(context.version);
  const working = plannedWorkingName(name.target, context);
  const imports: ImportPlan = options.metadataOnly
    ? { imports: [], segments: [] }
    : planImports({
        collection,
        backup: context.backup,
        staging: context.staging,
        features: target,
        inPlace: context.inPlace,
        firstTask: context.firstTask,
      });
  const usesPartitionKey = collection.schema.fields.some(({ is_partition_key }) => is_partition_key);
  return {
    restore: {
      source: name.source,
      target: name.target,
      working,
      ...(!options.skipCreate && { create: toCreateRequest(collection, working) }),
      partitions: usesPartitionKey
        ? []
        : collection.partition_backups
            .map(({ partition_name }) => partition_name)
            .filter((partition) => partition !== "_default"),
      indexes: options.indexes && !options.skipCreate ? toCreateIndexRequests(collection) : [],
      aliases: options.skipCreate ? [] : collection.aliases,
      // A collection that was there before is loaded or not as its owner wants it.
      load: options.load && options.indexes && !options.skipCreate ? loadOf(collection) : "none",
      imports: imports.imports,
    },
    segments: imports.segments,
    warnings: options.skipCreate ? [] : damagedDefaults(collection.schema),
  };
}

/** The name a collection is restored under until it is complete: its target name where it exists, or cannot be renamed. */
export function plannedWorkingName(
  target: CollectionName,
  context: { restoreId: string; version: string; options: Pick<RestoreOptions, "skipCreate"> },
): CollectionName {
  const renamed = !context.options.skipCreate && features(context.version).rename;
  return renamed ? workingName(target, context.restoreId) : target;
}

/** The databases the targets need, with what the backup says of them; `default` is always there. */
export function planDatabases(backup: BackupInfo, names: readonly RestoreName[]): PlannedDatabase[] {
  const needed = new Map<string, string>();
  for (const { source, target } of names) {
    if (target.database !== defaultDatabase) needed.set(target.database, source.database);
  }
  return [...needed].map(([name, from]) => ({
    name,
    properties: backup.database_backups.find(({ db_name }) => db_name === from)?.properties ?? [],
  }));
}

function loadOf(collection: CollectionBackup): PlannedRestore["load"] {
  const wasLoaded = (state: string) => state === "Loaded" || state === "Loading";
  const partitions = collection.partition_backups.filter(({ load_state }) => wasLoaded(load_state));
  // Metas that say nothing of partitions speak for the whole collection.
  const all = partitions.length === collection.partition_backups.length || partitions.length === 0;
  if (!wasLoaded(collection.load_state)) return "none";
  return all ? "all" : { partitions: partitions.map(({ partition_name }) => partition_name) };
}
