import pLimit from "p-limit";
import { backupLayout, milvusLayout } from "../core/backup-layout.ts";
import { backupNameOf } from "../core/backup-name.ts";
import {
  type BackupPlan,
  estimateRowBytes,
  loadStateOf,
  type PlannedCollection,
  type PlannedSegment,
  selectSegments,
} from "../core/backup-plan.ts";
import type { CopyPrefix, CopySegment } from "../core/copy-plan.ts";
import { uuidOf } from "../core/deterministic-id.ts";
import type { Environment } from "../core/environment.ts";
import { PipelineError } from "../core/errors.ts";
import type { BackupStepRequest, PrepareBackupResult } from "../core/messages.ts";
import type {
  CollectionName,
  FlushedCollection,
  GarbageCollectionPause,
  SegmentLogs,
} from "../core/milvus-descriptions.ts";
import { type Features, features } from "../core/milvus-version.ts";
import { parseCollectionSelector, qualifiedName } from "../core/names.ts";
import { workLayout } from "../core/work-layout.ts";
import type { Milvus } from "../ports/milvus.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { StepContext } from "../ports/step-context.ts";
import { acquireBackupLease } from "./backup-lease.ts";
import { listDatabases, selectCollections } from "./select-collections.ts";
import { readWorkJson, writeCopyBatches, writeWorkJson } from "./work-files.ts";

/** Milvus's proxies answer quickly; more than a few collections at once only queue there. */
const collectionConcurrency = 8;

/** How long Milvus keeps removed segments when nobody resumes; longer than any backup should take. */
const garbageCollectionPauseSeconds = 4 * 3600;

/**
 * First step of a backup: checks everything that can be wrong, flushes, describes the collections, lists their sealed segments
 * and writes the plan and the copy batches into the work bucket. Changes nothing in Milvus but the flush and the GC pause.
 * On a later attempt (segments vanished under the copy) it takes a fresh list without flushing again: compaction keeps every
 * row that was sealed, so a fresh list is as complete as the first one was.
 * Throws InvalidInput, BackupExists, CollectionNotFound, AlreadyRunning and what environments, stores and Milvus throw.
 */
export async function prepareBackup(request: BackupStepRequest, context: StepContext): Promise<PrepareBackupResult> {
  const { execution, input, attempt } = request;
  const backupName = backupNameOf(input, execution.startTime);
  const selectors = (input.collections ?? []).map(parseCollectionSelector);
  const environment = await context.environments.get(input.environment);

  const [backupStore, milvusStore, milvus] = await Promise.all([
    openChecked(context, input.environment, "backup"),
    openChecked(context, input.environment, "milvus"),
    context.connectMilvus(environment),
  ]);
  await checkNewBackup(backupStore, environment, backupName);

  const version = await milvus.version();
  const databases = await listDatabases(milvus, version);
  const names = await selectCollections(milvus, databases, selectors);
  await acquireBackupLease(context, backupStore, environment, backupName, execution.id);

  const layout = workLayout("backup", execution.name);
  const earlier = attempt > 0 ? await readWorkJson<BackupPlan>(context, layout.plan) : undefined;

  const metadataOnly = input.strategy === "meta_only";
  const warnings: string[] = [];
  const pause = metadataOnly
    ? undefined
    : (earlier?.garbageCollectionPause ?? (await pauseGarbageCollection(milvus, environment, context, warnings)));
  const planner = new CollectionPlanner(milvus, features(version), {
    flush: (input.strategy ?? "flush") === "flush",
    segments: !metadataOnly,
    earlier,
  });
  const limit = pLimit(collectionConcurrency);
  const planned = await Promise.all(names.map((name) => limit(() => planner.plan(name))));
  const collections = planned.map(({ collection }) => collection);

  const segments = planned.flatMap(({ collection, logs }) =>
    sizedCopySegments(collection, logs, environment, backupName),
  );
  const plan: BackupPlan = {
    backupName,
    backupId: uuidOf("backup", execution.id),
    attempt,
    milvusVersion: version,
    databases: await describeDatabases(milvus, collections, databases, selectors.length === 0),
    collections,
    ...(pause && { garbageCollectionPause: pause }),
    warnings: [...new Set([...(earlier?.warnings ?? []), ...warnings])],
    totals: {
      collections: collections.length,
      segments: segments.length,
      rows: collections
        .flatMap((collection) => collection.segments)
        .reduce((sum, segment) => sum + (segment.isL0 ? 0n : BigInt(segment.rows)), 0n)
        .toString(),
    },
  };
  await writeWorkJson(context, layout.plan, plan);
  const copies = await writeCopyBatches(context, layout, attempt, segments, {
    source: { environment: input.environment, side: "milvus" },
    destination: { environment: input.environment, side: "backup" },
    checkLogCounts: true,
  });
  context.log.info("backup planned", { backupName, source: milvusStore.label, ...copies });
  return { outcome: "planned", backupName, collections: collections.length, attempt, ...copies };
}

async function openChecked(context: StepContext, environment: string, side: "milvus" | "backup"): Promise<ObjectStore> {
  const store = await context.openStore({ environment, side });
  await store.checkAccess();
  return store;
}

async function checkNewBackup(store: ObjectStore, environment: Environment, backupName: string): Promise<void> {
  const layout = backupLayout(environment.backupStorage.rootPath, backupName);
  if (await store.head(layout.meta.full_meta)) {
    throw new PipelineError(
      "BackupExists",
      `backup ${backupName} exists already in ${store.label} under ${layout.root}; choose another name or delete it first`,
      { details: { key: "backupName" } },
    );
  }
}

async function pauseGarbageCollection(
  milvus: Milvus,
  environment: Environment,
  context: StepContext,
  warnings: string[],
): Promise<GarbageCollectionPause | undefined> {
  if (!environment.gcPause.enable) return undefined;
  try {
    const pause = await milvus.pauseGarbageCollection(garbageCollectionPauseSeconds);
    if (!pause) context.log.info("this Milvus has no call to pause garbage collection; going on without");
    return pause;
  } catch (error) {
    // A backup without the pause is still correct: what vanishes is listed again.
    const reason = error instanceof Error ? error.message : String(error);
    warnings.push(
      `garbage collection could not be paused (backup.gcPause.address ${environment.gcPause.address}): ${reason}`,
    );
    return undefined;
  }
}

async function describeDatabases(
  milvus: Milvus,
  collections: readonly PlannedCollection[],
  databases: readonly string[],
  all: boolean,
): Promise<BackupPlan["databases"]> {
  const used = new Set(collections.map(({ description }) => description.name.database));
  return Promise.all(
    databases.filter((database) => all || used.has(database)).map((database) => milvus.describeDatabase(database)),
  );
}

/** Learns from Milvus all that a backup holds about one collection. */
class CollectionPlanner {
  readonly #milvus: Milvus;
  readonly #features: Features;
  readonly #options: { flush: boolean; segments: boolean; earlier: BackupPlan | undefined };

  constructor(
    milvus: Milvus,
    serverFeatures: Features,
    options: { flush: boolean; segments: boolean; earlier: BackupPlan | undefined },
  ) {
    this.#milvus = milvus;
    this.#features = serverFeatures;
    this.#options = options;
  }

  async plan(name: CollectionName): Promise<{ collection: PlannedCollection; logs: ReadonlyMap<string, SegmentLogs> }> {
    const milvus = this.#milvus;
    const flushed = await this.#flush(name);
    const [description, partitions, indexes, progress] = await Promise.all([
      milvus.describeCollection(name),
      milvus.listPartitions(name),
      milvus.listIndexes(name),
      milvus.loadingProgress(name),
    ]);
    const loadState = loadStateOf(progress);
    const listed = this.#options.segments ? await milvus.listSegments(name) : [];
    const selected = selectSegments(listed, new Set(flushed?.segmentIds ?? []));
    const logs = await this.#describeLogs(
      name,
      description.id,
      selected.map(({ id }) => id),
    );
    const segments: PlannedSegment[] = selected.map((segment) => ({
      id: segment.id,
      partitionId: segment.partitionId,
      rows: segment.rows.toString(),
      isL0: segment.isL0,
      storageVersion: segment.storageVersion,
      virtualChannel: logs.get(segment.id)?.virtualChannel ?? "",
    }));
    const collection: PlannedCollection = {
      description,
      partitions: await Promise.all(
        partitions.map(async (partition) => ({
          ...partition,
          // Single partitions can be loaded: a collection's progress is that of its loaded partitions only.
          loadState:
            loadState === "NotLoad" ? loadState : loadStateOf(await milvus.loadingProgress(name, partition.name)),
        })),
      ),
      indexes,
      loadState,
      ...(flushed && { flushed }),
      segments,
    };
    return { collection, logs };
  }

  async #flush(name: CollectionName): Promise<FlushedCollection | undefined> {
    if (!this.#options.flush) return undefined;
    const earlier = this.#options.earlier?.collections.find(
      ({ description }) => qualifiedName(description.name) === qualifiedName(name),
    )?.flushed;
    return earlier ?? this.#milvus.flush(name);
  }

  async #describeLogs(
    name: CollectionName,
    collectionId: string,
    segmentIds: readonly string[],
  ): Promise<ReadonlyMap<string, SegmentLogs>> {
    if (!this.#features.segmentDescription || segmentIds.length === 0) return new Map();
    const logs = await this.#milvus.describeSegmentLogs(name, collectionId, segmentIds);
    return new Map((logs ?? []).map((segment) => [segment.segmentId, segment]));
  }
}

function sizedCopySegments(
  collection: PlannedCollection,
  logs: ReadonlyMap<string, SegmentLogs>,
  environment: Environment,
  backupName: string,
): { segment: CopySegment; bytes: number }[] {
  const from = milvusLayout(environment.storage.rootPath);
  const to = backupLayout(environment.backupStorage.rootPath, backupName);
  const collectionId = collection.description.id;
  const rowBytes = estimateRowBytes(collection.description.schema.fields);
  return collection.segments.map((segment) => {
    const path = { collectionId, partitionId: segment.partitionId, segmentId: segment.id };
    const exact = logs.get(segment.id);
    const insert: CopyPrefix = {
      kind: "insert",
      from: from.insertLogs(path),
      to: to.insertLogs({ ...path, groupId: segment.id }),
      ...(exact && {
        only: exact.insertLogs.flatMap(({ fieldId, logIds }) => logIds.map((logId) => `${fieldId}/${logId}`)),
      }),
    };
    const delta: CopyPrefix = {
      kind: "delta",
      from: from.deltaLogs(path),
      to: to.deltaLogs({ ...path, groupId: segment.id }),
      ...(exact && { only: exact.deltaLogs.flatMap(({ logIds }) => [...logIds]) }),
    };
    return {
      segment: { ...path, rows: segment.rows, isL0: segment.isL0, prefixes: segment.isL0 ? [delta] : [insert, delta] },
      bytes: Number(segment.rows) * rowBytes,
    };
  });
}
