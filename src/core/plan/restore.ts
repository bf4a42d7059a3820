import type { RestoreInput } from "../execution/messages.ts";
import { type StagingLayout, stagingLayout } from "../format/layout.ts";
import type { BackupWith, CollectionWith } from "../format/meta.ts";
import type { BackupOutline, CollectionOutline } from "../format/outline.ts";
import type { CollectionName, Id } from "../milvus/descriptions.ts";
import { type CutAt, hybridTimestamp } from "../milvus/instant.ts";
import type { KeptAttributes } from "../milvus/kept-attributes.ts";
import { defaultDatabase, qualifiedName } from "../milvus/names.ts";
import { damagedDefaults, toCreateIndexRequests, toCreateRequest } from "../milvus/schema-mapping.ts";
import { features } from "../milvus/version.ts";
import { wantedIndexes } from "./existing-indexes.ts";
import { type ImportPlan, type ImportTerms, planImports } from "./imports.ts";
import type { SmallPartitions } from "./insertions.ts";
import { hasWorkingName, type PlannedRestore, type RestorePlan } from "./planned-restore.ts";
import { planDatabases } from "./restore-databases.ts";
import { type RestoreName, type RestoreNames, trialName, workingName } from "./restore-names.ts";
import { type Overrides, overrideCollection, overrideIndex, overridesFor } from "./restore-overrides.ts";
import { RestoreSegments } from "./restore-segments.ts";
import type { KnownRows } from "./segment-rows.ts";
import type { Verification } from "./verification.ts";

export interface RestoreOptions {
  readonly skipCreate: boolean;
  readonly metadataOnly: boolean;
  readonly indexes: boolean;
  readonly load: boolean;
  readonly aliases: boolean;
  readonly overrides: Overrides;
  readonly smallPartitions?: SmallPartitions | undefined;
  readonly existingIndexes?: RestoreInput["existingIndexes"];
}

/** Plans a whole restore: what is made of each collection, and what becomes of every segment. */
export function planRestore(
  backup: BackupOutline,
  names: RestoreNames,
  context: ImportTerms & {
    readonly restoreId: string;
    /** IDs of the collections that are replaced, by target name. */
    readonly replaces: ReadonlyMap<string, Id>;
    /** Of the target Milvus. */
    readonly version: string;
    /** Collections that it cannot read where they lie all the same, by ID. */
    readonly crowded: ReadonlySet<string>;
    readonly input: RestoreInput;
    /** By collection ID. */
    readonly instants: ReadonlyMap<string, CutAt>;
    /** What the format has no place for, by collection ID. */
    readonly kept: ReadonlyMap<string, KeptAttributes>;
    /** What the heads of the logs tell, by segment ID. */
    readonly known: ReadonlyMap<string, KnownRows>;
    /** L0 segments that are not imported by themselves, by ID (`SpreadDeletes`). */
    readonly spread?: ReadonlyMap<string, bigint>;
    readonly verification: Verification;
    /** Those that were read. */
    readonly metas: { readonly sha256: string };
    readonly warnings: readonly string[];
  },
): { plan: RestorePlan; segments: RestoreSegments } {
  const { restoreId, input } = context;
  const staging = stagingLayout(restoreId);
  const segments = new RestoreSegments();
  const collections: PlannedRestore[] = [];
  const warnings = [...context.warnings];
  /** The first import of a collection that several names get: they read the same files. */
  const firstPlans = new Map<CollectionOutline, { readonly stagedAs: number; readonly renumbered: boolean }>();
  /** Databases of the target in which a name of a collection has its aliases, by collection. */
  const aliased = new Map<CollectionOutline, Set<string>>();
  let firstTask = 0;
  let renumbered = false;
  for (const name of names.collections) {
    const collection = collectionOf(backup, name.source);
    const collectionId = collection.collection_id.toString();
    const first = firstPlans.get(collection);
    const staged = first ?? { stagedAs: firstTask, renumbered };
    const planned = planCollection(collection, name, {
      restoreId,
      version: context.version,
      pairsPerJob: context.pairsPerJob,
      backup: context.backup,
      staging,
      readsInPlace: context.readsInPlace && !context.crowded.has(collectionId),
      mayStream: context.mayStream,
      cut: context.instants.get(collectionId),
      kept: context.kept.get(collectionId),
      known: context.known,
      spread: context.spread,
      firstTask,
      ...staged,
      options: {
        skipCreate: input.skipCreate ?? false,
        metadataOnly: input.metadataOnly ?? false,
        indexes: input.indexes ?? true,
        load: input.load ?? true,
        aliases: input.aliases ?? true,
        overrides: overridesFor(name.target, input),
        smallPartitions: input.smallPartitions,
        existingIndexes: input.existingIndexes,
      },
    });
    const replaces = context.replaces.get(qualifiedName(name.target));
    const restore = { ...planned.restore, ...(replaces !== undefined && { replaces }) };
    const databases = aliased.get(collection) ?? new Set();
    // Of several names in one database the first one gets the aliases.
    collections.push(databases.has(name.target.database) ? { ...restore, aliases: [] } : restore);
    aliased.set(collection, databases.add(name.target.database));
    segments.add(planned.imports, first === undefined);
    firstPlans.set(collection, staged);
    if (first === undefined) warnings.push(...planned.warnings);
    firstTask += planned.restore.imports.length;
    renumbered ||= planned.imports.isRenumbered;
  }
  const imports = collections.flatMap((collection) => collection.imports);
  return {
    segments,
    plan: {
      restoreId,
      backupName: input.backupName,
      backupId: backup.id,
      ...(input.metadataOnly && { metadataOnly: true }),
      ...(input.rbac && { rbac: context.metas }),
      dropReplaced: (input.dropExisting ?? false) && !input.keepReplaced,
      ...encryptedOf(backup, names.collections, context.metas),
      databases: planDatabases(backup, names),
      collections,
      stagingPrefix: staging.root,
      verification: context.verification,
      warnings,
      totals: {
        collections: collections.length,
        segments: segments.count,
        bytes: segments.bytes,
        rows: imports.reduce((sum, { rows }) => sum + BigInt(rows), 0n).toString(),
        imports: imports.length,
      },
    },
  };
}

/** The record of a collection that was selected from this very backup. */
export function collectionOf<S>(backup: BackupWith<S>, name: CollectionName): CollectionWith<S> {
  const found = backup.collection_backups.find(
    ({ db_name, collection_name }) =>
      (db_name || defaultDatabase) === name.database && collection_name === name.collection,
  );
  if (!found) throw new Error(`${qualifiedName(name)} was selected but is not in the backup`);
  return found;
}

/**
 * Plans one collection.
 * @param context.firstTask number of its first import within the restore
 * @param context.stagedAs the same of the plan that stages its files: its own, or an earlier one of the same collection
 */
export function planCollection(
  collection: CollectionOutline,
  name: RestoreName,
  context: ImportTerms & {
    readonly restoreId: string;
    readonly version: string;
    readonly staging: StagingLayout;
    /** Absent where nobody knows it. */
    readonly cut?: CutAt | undefined;
    readonly kept?: KeptAttributes | undefined;
    readonly known?: ReadonlyMap<string, KnownRows> | undefined;
    readonly spread?: ReadonlyMap<string, bigint> | undefined;
    readonly firstTask: number;
    readonly stagedAs: number;
    /** Whether imports with lower numbers may have had others (`ImportPlan.isRenumbered`). */
    readonly renumbered: boolean;
    readonly options: RestoreOptions;
  },
): { restore: PlannedRestore; imports: ImportPlan; warnings: readonly string[] } {
  const { options } = context;
  const target = features(context.version);
  const working = plannedWorkingName(name.target, context);
  const create = overrideCollection(toCreateRequest(collection, working, context.kept), options.overrides);
  const imports = planImports({
    collection: options.metadataOnly ? withoutSegments(collection) : collection,
    backup: context.backup,
    staging: context.staging,
    features: target,
    pairsPerJob: context.pairsPerJob,
    readsInPlace: context.readsInPlace,
    mayStream: context.mayStream,
    smallPartitions: options.smallPartitions,
    isOurs: hasWorkingName({ working, target: name.target }),
    shards: create.shards,
    instant: context.cut?.instant,
    laterRows: context.cut?.laterRows,
    known: context.known,
    spread: context.spread,
    firstTask: context.firstTask,
    stagedAs: context.stagedAs,
    renumbered: context.renumbered,
  });
  const takenAt = takenAtOf(collection, context.cut);
  const indexes = options.indexes
    ? toCreateIndexRequests(collection).map((index) => overrideIndex(index, create, options.overrides))
    : [];
  const existingIndexes = wantedIndexes(indexes, create, trialName(name.target, context.restoreId), options);
  return {
    restore: {
      source: name.source,
      target: name.target,
      working,
      ...(!options.skipCreate && { create }),
      // a partition key makes its own
      partitions:
        create.partitionCount !== undefined
          ? []
          : collection.partition_backups
              .map(({ partition_name }) => partition_name)
              .filter((partition) => partition !== "_default"),
      indexes: options.skipCreate ? [] : indexes,
      ...(existingIndexes && { existingIndexes }),
      aliases: options.skipCreate || !options.aliases ? [] : collection.aliases,
      // A collection that was there before is loaded or not as its owner wants it.
      load: options.load && options.indexes && !options.skipCreate ? loadOf(collection) : "none",
      imports: imports.imports,
      ...(imports.insertion !== undefined && { insertion: imports.insertion }),
      ...(context.cut && { instant: context.cut.instant }),
      ...(takenAt !== undefined && { takenAt }),
    },
    imports,
    warnings: options.skipCreate ? [] : damagedDefaults(collection.schema),
  };
}

/**
 * Which of two backups of a collection is newer: the instant, or for backups without one when it was begun (to the second).
 * @returns a hybrid timestamp, decimal; undefined where nobody knows
 */
export function takenAtOf(
  { backup_physical_timestamp: seconds }: Pick<CollectionOutline, "backup_physical_timestamp">,
  cut: CutAt | undefined,
): Id | undefined {
  if (cut) return cut.instant.timestamp;
  return seconds > 0n ? hybridTimestamp(seconds * 1000n) : undefined;
}

function withoutSegments(collection: CollectionOutline): CollectionOutline {
  return { ...collection, partition_backups: [], l0_segments: [] };
}

/** The name a collection is restored under until it is complete: its target name where it exists, or cannot be renamed. */
export function plannedWorkingName(
  target: CollectionName,
  context: { restoreId: string; version: string; options: Pick<RestoreOptions, "skipCreate"> },
): CollectionName {
  const renamed = !context.options.skipCreate && features(context.version).rename;
  return renamed ? workingName(target, context.restoreId) : target;
}

/** What the restored collections need keys for. */
function encryptedOf(
  backup: Pick<BackupOutline, "database_backups">,
  names: readonly RestoreName[],
  { sha256 }: { readonly sha256: string },
): Pick<RestorePlan, "encrypted"> {
  const used = new Set(names.map(({ source }) => source.database));
  const databases = backup.database_backups.flatMap(({ db_name, ezk }) => {
    const name = db_name || defaultDatabase;
    return ezk !== "" && used.has(name) ? [name] : [];
  });
  return databases.length === 0 ? {} : { encrypted: { databases, sha256 } };
}

function loadOf(collection: CollectionWith<unknown>): PlannedRestore["load"] {
  const wasLoaded = (state: string) => state === "Loaded" || state === "Loading";
  const partitions = collection.partition_backups.filter(({ load_state }) => wasLoaded(load_state));
  // Metas that say nothing of partitions speak for the whole collection.
  const all = partitions.length === collection.partition_backups.length || partitions.length === 0;
  if (!wasLoaded(collection.load_state)) return "none";
  return all ? "all" : { partitions: partitions.map(({ partition_name }) => partition_name) };
}
