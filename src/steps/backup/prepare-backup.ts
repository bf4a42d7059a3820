import pLimit from "p-limit";
import type { Environment, RegisteredEnvironment } from "../../core/environment/environment.ts";
import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { uuidOf } from "../../core/execution/deterministic-id.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { BackupStepRequest, PrepareBackupResult } from "../../core/execution/messages.ts";
import { stateMachineOf } from "../../core/execution/state-machine-arn.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { milvusLayout } from "../../core/format/layout.ts";
import type { GarbageCollectionPause } from "../../core/milvus/descriptions.ts";
import { parseCollectionSelector } from "../../core/milvus/names.ts";
import { features } from "../../core/milvus/version.ts";
import { type BackupPlan, type PlannedCollection, planSegmentCopies } from "../../core/plan/backup.ts";
import { backupNameOf } from "../../core/plan/backup-name.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import { type Held, readHeld, writeHeld } from "../shared/held.ts";
import { acquireLease } from "../shared/lease.ts";
import { pinEnvironments, pinnedEnvironment } from "../shared/pinned-environments.ts";
import { listDatabases, selectCollections } from "../shared/select-collections.ts";
import { StoredBackup } from "../shared/stored-backup.ts";
import { readWorkJson, writeCopyBatches, writeWorkJson } from "../shared/work-files.ts";
import { CollectionPlanner } from "./collection-planner.ts";

/** Milvus's proxies answer quickly; more than a few collections at once only queue there. */
const collectionConcurrency = 8;

/** How long Milvus keeps removed segments when nobody resumes; longer than any backup should take. */
const garbageCollectionPauseSeconds = 4 * 3600;

/**
 * First step of a backup: checks everything that can be wrong, flushes, describes the collections, lists their sealed segments
 * and writes the plan and the copy batches into the work bucket. Changes nothing in Milvus but the flush and the GC pause.
 * On a later attempt (segments vanished under the copy) it takes a fresh list without flushing again: compaction keeps every
 * row that was sealed, so a fresh list is as complete as the first one was.
 * Throws InvalidInput, BackupExists, CollectionNotFound, AlreadyRunning, EnvironmentChanged and what environments, stores and Milvus throw.
 */
export async function prepareBackup(request: BackupStepRequest, context: MilvusContext): Promise<PrepareBackupResult> {
  const { execution, input, attempt } = request;
  const backupName = backupNameOf(input, execution.startTime);
  const selectors = (input.collections ?? []).map(parseCollectionSelector);
  const layout = workLayout("backup", execution.name);
  await pinEnvironments(context, layout, [input.environment]);
  const environment = await pinnedEnvironment(context, layout, input.environment);

  const [backupStore, milvusStore, milvus] = await Promise.all([
    openChecked(context, environment, "backup"),
    openChecked(context, environment, "milvus"),
    context.connectMilvus(environment),
  ]);
  const stored = new StoredBackup(backupStore, environment.backupStorage, backupName);
  await checkNewBackup(stored);

  const version = await milvus.version();
  const databases = await listDatabases(milvus, version);
  const names = await selectCollections(milvus, databases, selectors);

  let held: Held = (await readHeld(context, layout)) ?? {
    leaseSubject: stored.leaseSubject,
  };
  await writeHeld(context, layout, held);
  await acquireLease(context, "backup", held.leaseSubject, execution.id);
  // Again, now that nobody else writes it: the execution that held the name may just have finished.
  await checkNewBackup(stored);
  const earlier = attempt > 0 ? await readWorkJson<BackupPlan>(context, layout.plan) : undefined;

  const metadataOnly = input.strategy === "meta_only";
  const warnings: string[] = [];
  if (!metadataOnly && !held.garbageCollectionPause) {
    const garbageCollectionPause = await pauseGarbageCollection(milvus, environment, context, warnings);
    if (garbageCollectionPause) {
      held = { ...held, garbageCollectionPause };
      await writeHeld(context, layout, held);
    }
  }
  const planner = new CollectionPlanner(milvus, features(version), {
    flush: (input.strategy ?? "flush") === "flush",
    segments: !metadataOnly,
    earlier,
  });
  const limit = pLimit(collectionConcurrency);
  const planned = await Promise.all(names.map((name) => limit(() => planner.plan(name))));
  const collections = planned.map(({ collection }) => collection);

  const segments = planned.flatMap(({ collection, logs }) =>
    planSegmentCopies(collection, logs, {
      from: milvusLayout(environment.storage.rootPath),
      to: stored.layout,
      version,
    }),
  );
  const plan: BackupPlan = {
    backupName,
    backupId: uuidOf("backup", execution.id),
    attempt,
    milvusVersion: version,
    databases: await describeDatabases(milvus, collections, databases, selectors.length === 0),
    collections,
    warnings: [...new Set([...(earlier?.warnings ?? []), ...warnings])],
    ...(input.schedule !== undefined && {
      schedule: {
        name: input.schedule,
        environment: input.environment,
        stateMachine: stateMachineOf(execution.id),
      },
    }),
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
    source: pinnedStore(environment, "milvus"),
    destination: pinnedStore(environment, "backup"),
    checkLogCounts: true,
  });
  context.log.info("backup planned", { backupName, source: milvusStore.label, ...copies });
  return { outcome: "planned", backupName, collections: collections.length, attempt, ...copies };
}

async function openChecked(
  context: MilvusContext,
  environment: RegisteredEnvironment,
  side: "milvus" | "backup",
): Promise<ObjectStore> {
  const store = await context.openStore(pinnedStore(environment, side));
  await store.checkAccess();
  return store;
}

async function checkNewBackup(stored: StoredBackup): Promise<void> {
  if (await stored.committed()) {
    throw new PipelineError(
      "BackupExists",
      `backup ${stored.name} exists already in ${stored.place}; choose another name or delete it first`,
      { details: { key: "backupName" } },
    );
  }
}

async function pauseGarbageCollection(
  milvus: Milvus,
  environment: Environment,
  context: MilvusContext,
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
