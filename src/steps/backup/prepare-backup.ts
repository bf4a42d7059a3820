import { type Environment, type RegisteredEnvironment, rpcChannelName } from "../../core/environment/environment.ts";
import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { backupIdOf } from "../../core/execution/deterministic-id.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { BackupStepRequest, PrepareBackupResult } from "../../core/execution/messages.ts";
import { settleAll, settleEach } from "../../core/execution/settle.ts";
import { stateMachineOf } from "../../core/execution/state-machine-arn.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { milvusLayout } from "../../core/format/layout.ts";
import type { MadeBySchedule } from "../../core/format/manifest.ts";
import type { CollectionName, GarbageCollectionPause } from "../../core/milvus/descriptions.ts";
import {
  type CollectionSelector,
  isSelected,
  parseCollectionSelector,
  wholeDatabase,
} from "../../core/milvus/names.ts";
import {
  type BackupPlan,
  backupPlan,
  type PlanEntry,
  type SelectedCollection,
  selectedCollections,
  tornCollections,
} from "../../core/plan/backup.ts";
import { backupNameOf } from "../../core/plan/backup-name.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { PayloadReader } from "../../ports/payload-reader.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import { checkAllowed } from "../shared/allowed.ts";
import { takeClaim } from "../shared/backup-claim.ts";
import { noteFirstPause, pauseSeconds, renewPause } from "../shared/gc-pause.ts";
import { type Held, readHeld, writeHeld } from "../shared/held.ts";
import { chosenLock, keepingOf } from "../shared/locks.ts";
import { pinEnvironments, pinnedEnvironment } from "../shared/pinned-environments.ts";
import { checkSource, claimSegments, sourceOf, sourceRecordOf } from "../shared/segment-claims.ts";
import { listDatabases, selectCollections } from "../shared/select-collections.ts";
import { StoredBackup } from "../shared/stored-backup.ts";
import { withoutStored } from "../shared/stored-segments.ts";
import {
  readWorkJson,
  readWorkJsonIfThere,
  type WorkFiles,
  writeCopyBatches,
  writeWorkJson,
} from "../shared/work-files.ts";
import { checkCarried, hiddenWarnings } from "./carried.ts";
import { CollectionDrafts, collectDrafts, rowsOfKept } from "./collection-drafts.ts";
import { CollectionPlanner, collectionConcurrency } from "./collection-planner.ts";
import { checkEncryptionKeys } from "./encryption-keys.ts";
import { type FlushOutcome, flushesServer, flushServer } from "./flush-server.ts";
import { noteRpcChannel } from "./rpc-channel.ts";
import { segmentSourceOf } from "./segment-source.ts";

export interface PrepareBackupContext extends MilvusContext {
  /** What reads the payloads of binlogs; loaded where a clustering compaction may be under way. */
  payloads(): Promise<PayloadReader>;
}

/** No collection is begun after that: the function has 15 minutes, and one collection may be flushed for minutes. */
const planningMilliseconds = 6 * 60_000;

/**
 * First step of a backup: checks everything that can be wrong, flushes, describes the collections, lists their sealed segments
 * and writes the plan and the copy batches into the work bucket. Changes nothing in Milvus but the flush and the GC pause.
 * What is learned of a collection is kept at once: a step that starts again, or goes on in another invocation (`planning`), flushes none
 * twice. On a later attempt (segments vanished under the copy) the collections whose cut is torn are flushed and listed anew: a fresh
 * list without a fresh flush would lack the rows that compaction took away for deletes after the flush.
 * @throws InvalidInput, BackupExists, CollectionNotFound, AlreadyRunning, InconsistentSegments, EnvironmentChanged and what environments, stores and Milvus
 *   throw
 */
export async function prepareBackup(
  request: BackupStepRequest,
  context: PrepareBackupContext,
): Promise<PrepareBackupResult> {
  const { execution, input, attempt } = request;
  const backupName = backupNameOf(input, execution.startTime);
  if (input.incremental && input.strategy === "meta_only") {
    throw new PipelineError(
      "InvalidInput",
      "incremental and strategy meta_only exclude each other: a backup without data stores no segments; leave one of them out",
      { details: { key: "incremental" } },
    );
  }
  const selectors = (input.collections ?? []).map(parseCollectionSelector);
  const layout = workLayout("backup", execution.name);
  checkAllowed(context.allowed, { backup: input.environment });
  await pinEnvironments(context, layout, [input.environment]);
  const environment = await pinnedEnvironment(context, layout, input.environment);

  const [backupStore, milvusStore, milvus] = await settleAll([
    openChecked(context, environment, "backup"),
    openChecked(context, environment, "milvus"),
    context.connectMilvus(environment),
  ]);
  const source = input.incremental ? sourceOf(environment.storage) : undefined;
  const lock = await chosenLock(backupStore, input, environment, execution, context);
  const stored = new StoredBackup(backupStore, environment.backupStorage, backupName, source);
  await checkNewBackup(stored);

  const version = await milvus.version();
  const databases = await listDatabases(milvus, version);
  const selected = await select(milvus, databases, selectors, { context, layout });
  await checkCarried(milvus, version, selected);
  // Finalize Backup reads it anew: passwords are kept in no work file. Who may not is told before anything is copied.
  if (input.rbac) await milvus.describeRbac();
  const described = await describeDatabases(milvus, selected, databases, selectors);
  await checkEncryptionKeys(milvus, described);

  let held: Held = (await readHeld(context, layout)) ?? { claimed: true, ...(source && { sharedSource: source }) };
  await writeHeld(context, layout, held);
  const schedule = scheduleOf(request);
  await takeClaim(stored, { execution, purpose: "backup", schedule }, context);
  // Again, now that nobody else writes it: the execution that held the name may just have finished.
  await checkNewBackup(stored);
  const { shared } = stored.layout;
  if (shared !== undefined) {
    const user = { execution, purpose: "backup", backupName } as const;
    if (!(await claimSegments(backupStore, shared, user, context))) {
      context.log.info("a sweep of shared segments is under way: the backup waits", { key: shared.sweep });
      return planningGoesOn(backupName, selected.length, request);
    }
    await checkSource(backupStore, shared, sourceRecordOf(environment.storage));
  }
  const earlier = attempt > 0 ? await earlierPlan({ context, layout }, attempt) : undefined;

  const metadataOnly = input.strategy === "meta_only";
  const warnings: string[] = [];
  if (held.garbageCollectionPause) {
    await renewPause(context, layout.pauseRenewals, async () => context.garbageCollection(environment));
  } else if (!metadataOnly) {
    const garbageCollectionPause = await pauseGarbageCollection(milvus, environment, context, warnings);
    if (garbageCollectionPause) {
      held = { ...held, garbageCollectionPause };
      await writeHeld(context, layout, held);
      await noteFirstPause(context, layout.pauseRenewals);
    }
  }
  warnings.push(...(await hiddenWarnings(milvus, selectors, environment.milvus.user)));
  const { rpcChannel, warning } = await noteRpcChannel(milvus, rpcChannelName(environment), { context, layout });
  if (warning) warnings.push(warning);
  const planUntil = context.clock.now().getTime() + planningMilliseconds;
  const flushed: FlushOutcome =
    attempt === 0 && flushesServer(input)
      ? await flushServer(milvus, selected, { input, version, until: planUntil }, { context, layout })
      : { state: "none" };
  if (flushed.state === "pending") return planningGoesOn(backupName, selected.length, request);
  if (flushed.state === "none" && flushed.warning) warnings.push(flushed.warning);
  const serverFlush = flushed.state === "flushed" ? flushed.flush : undefined;
  const places = { store: milvusStore, from: milvusLayout(environment.storage.rootPath) };
  const planner = new CollectionPlanner(milvus, {
    version,
    source: segmentSourceOf(milvus, {
      taken: metadataOnly ? "nothing" : input.strategy === "skip_flush" ? "sealed" : "flushed",
      serverFlush,
      version,
      places,
      payloads: () => context.payloads(),
      clock: context.clock,
      log: context.log,
    }),
    places,
    to: stored.layout,
    byKey: shared !== undefined,
  });
  const drafts = new CollectionDrafts(planner, { context, layout, attempt });
  const kept = earlier ? await untorn(earlier, { context, layout }) : [];
  const open = selected.flatMap((name, index) =>
    kept.some((entry) => entry.index === index) ? [] : [{ name, index }],
  );
  if (!(await drafts.makeAll(open, planUntil))) return planningGoesOn(backupName, selected.length, request);

  const { entries, segments, rows } = await collectDrafts(open, drafts, version, warnings);
  const collections = [...kept, ...entries].toSorted((a, b) => a.index - b.index);
  const keptRows = await rowsOfKept(kept, { context, layout });
  const plan: BackupPlan = {
    backupName,
    backupId: backupIdOf(execution.id),
    attempt,
    milvusVersion: version,
    databases: described,
    collections,
    warnings: [...new Set([...(earlier?.warnings ?? []), ...warnings])],
    ...(schedule && { schedule }),
    ...(lock && { lock }),
    ...(rpcChannel && { rpcChannel }),
    ...messagesOf(serverFlush ?? earlier?.serverFlush),
    totals: {
      collections: collections.length,
      segments: collections.reduce((sum, entry) => sum + entry.segments, 0),
      rows: (keptRows + rows).toString(),
    },
  };
  await writeWorkJson(context, layout.plan, plan);
  const sides = { source: milvusStore, destination: backupStore, checkLogCounts: true };
  const toCopy = shared
    ? { count: segments.length, segments: withoutStored(segments, sides) }
    : { count: segments.length, segments };
  const copies = await writeCopyBatches(context, layout, attempt, toCopy, {
    source: pinnedStore(environment, "milvus"),
    destination: pinnedStore(environment, "backup"),
    checkLogCounts: true,
    claim: { key: stored.layout.claim, holder: execution.id },
    ...(shared && { segmentsClaim: { key: shared.claim(execution.id), holder: execution.id } }),
    ...keepingOf(environment, lock),
  });
  context.log.info("backup planned", { backupName, source: milvusStore.label, ...copies });
  return { outcome: "planned", backupName, collections: collections.length, attempt, ...copies };
}

/** What of a flush of the whole server the metas hold. */
function messagesOf(flush: BackupPlan["serverFlush"]): Pick<BackupPlan, "serverFlush"> {
  if (flush === undefined) return {};
  const { messages, controlChannel, physicalChannels } = flush;
  return { serverFlush: { messages, controlChannel, physicalChannels } };
}

/** The collections that the backup is about: those that were there when it began, however often this step runs. */
async function select(
  milvus: Milvus,
  databases: readonly string[],
  selectors: readonly CollectionSelector[],
  { context, layout }: WorkFiles,
): Promise<readonly SelectedCollection[]> {
  const earlier = await readWorkJsonIfThere(context, layout.selected, selectedCollections);
  if (earlier) return earlier;
  const names = await selectCollections(milvus, databases, selectors);
  const selected = names.map((name) => ({ ...name, named: selectors.some((selector) => isNamed(selector, name)) }));
  await writeWorkJson(context, layout.selected, selected);
  return selected;
}

function isNamed({ database, collection }: CollectionSelector, name: CollectionName): boolean {
  return database === name.database && collection === name.collection;
}

/** The plan of the attempt before, under a name of its own: this attempt, when it runs again, may have replaced it by its own. */
async function earlierPlan({ context, layout }: WorkFiles, attempt: number): Promise<BackupPlan> {
  const key = layout.earlierPlan(attempt);
  const kept = await readWorkJsonIfThere(context, key, backupPlan);
  if (kept) return kept;
  const earlier = await readWorkJson(context, layout.plan, backupPlan);
  await writeWorkJson(context, key, earlier);
  return earlier;
}

/** The collections of the attempt before that are copied as they were planned; their instants stand. */
async function untorn(earlier: BackupPlan, { context, layout }: WorkFiles): Promise<readonly PlanEntry[]> {
  const { collectionIds } = await readWorkJson(context, layout.torn(earlier.attempt), tornCollections);
  return earlier.collections.filter(({ id }) => !collectionIds.includes(id));
}

function planningGoesOn(
  backupName: string,
  collections: number,
  { execution, attempt }: BackupStepRequest,
): PrepareBackupResult {
  const itemsKey = workLayout("backup", execution.name).items(attempt);
  return { outcome: "planning", backupName, collections, attempt, itemsKey, batches: 0, segments: 0 };
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

/** undefined where no schedule started it. */
function scheduleOf({ execution, input }: BackupStepRequest): MadeBySchedule | undefined {
  const { schedule: name, environment } = input;
  return name === undefined ? undefined : { name, environment, stateMachine: stateMachineOf(execution.id) };
}

async function checkNewBackup(stored: StoredBackup): Promise<void> {
  const plain = stored.asPlain;
  const [committed, incrementals] = await settleAll([plain.committed(), plain.incrementals()]);
  for (const one of committed ? [plain] : incrementals) {
    if (one !== plain && (await one.committed()) === undefined) continue;
    throw stored.existsAlready();
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
    const pause = await milvus.pauseGarbageCollection(pauseSeconds);
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

/** Also of databases without collections, where they are selected as a whole. */
async function describeDatabases(
  milvus: Milvus,
  selected: readonly CollectionName[],
  databases: readonly string[],
  selectors: readonly CollectionSelector[],
): Promise<BackupPlan["databases"]> {
  const used = new Set(selected.map(({ database }) => database));
  const told = databases.filter(
    (database) => used.has(database) || isSelected(selectors, { database, collection: wholeDatabase }),
  );
  return settleEach(told, collectionConcurrency, (database) => milvus.describeDatabase(database));
}
