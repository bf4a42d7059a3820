import * as z from "zod";
import type { RegisteredEnvironment } from "../../core/environment/environment.ts";
import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import {
  type ExecutionRef,
  type FinishRestoreResult,
  finishRestoreResult,
  type RestoredCollection,
  type RestoreStepRequest,
} from "../../core/execution/messages.ts";
import { boundedResult } from "../../core/execution/restore-result.ts";
import { roundEvents } from "../../core/execution/round-events.ts";
import { roundWait } from "../../core/execution/round-wait.ts";
import { settleAll, settleBehind, settleEach } from "../../core/execution/settle.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import {
  hasWorkingName,
  idsOf,
  type PlannedRestore,
  type RestorePlan,
  restoredInto,
  restorePlan,
} from "../../core/plan/planned-restore.ts";
import {
  type CollectionRecord,
  collectionRecord,
  type ImportRecord,
  importRecord,
  type ReplacedRecord,
  recordOf,
  replacedRecord,
  restoreWorkLayout,
} from "../../core/plan/restore-work.ts";
import { CollectionRows } from "../../core/plan/row-check.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import { readHeld } from "../shared/held.ts";
import { pinnedEnvironment } from "../shared/pinned-environments.ts";
import { unmarkReader } from "../shared/readers.ts";
import { giveBackTargets, heldTargets } from "../shared/target-leases.ts";
import { readWorkJson, readWorkJsonIfThere, writeWorkJson } from "../shared/work-files.ts";
import { checkRows } from "./check-rows.ts";
import { giveIndexes } from "./existing-indexes.ts";
import { isMilvusAway } from "./milvus-away.ts";
import { CollectionReplacer } from "./replace-collections.ts";
import { restoreRbac } from "./restore-rbac.ts";
import { removeStagedElsewhere } from "./staged-places.ts";

/** Loading takes seconds to hours: watched closely for a while, then left to the machine's waiting. */
const pollMilliseconds = 200;
const closeWatchMilliseconds = 15_000;

const collectionConcurrency = 8;
/** Of one collection. */
const partitionConcurrency = 8;

/**
 * Last step of a restore: checks the row counts, gives each collection its target name (the one it replaces moves aside), moves and sets
 * aliases, drops what was replaced, loads what was loaded, adds users and roles where that was asked for, removes staging files and records. Answers `loading` while collections load.
 * @throws RowCountMismatch before anything gets its target name, TargetExists where somebody made another collection under it meanwhile,
 *   ClaimLost before anything is replaced where another restore has the target by now, EnvironmentChanged, and what Milvus throws
 */
export async function finishRestore(request: RestoreStepRequest, context: MilvusContext): Promise<FinishRestoreResult> {
  try {
    return await finish(request, context);
  } catch (error) {
    // Everything is in place by then, and Milvus goes on loading when it is back.
    if (request.attempt === 0 || !isMilvusAway(error)) throw error;
    context.log.warn("waiting for Milvus", { because: error.message });
    return loading(request);
  }
}

/** Everything is in place, and is asked for again. */
function loading({ input, attempt, retries }: RestoreStepRequest): FinishRestoreResult {
  return {
    ...{ outcome: "loading", backupName: input.backupName, collections: [], warnings: [] },
    ...{ waitSeconds: roundWait(attempt), events: roundEvents(retries) },
  };
}

async function finish(request: RestoreStepRequest, context: MilvusContext): Promise<FinishRestoreResult> {
  const { execution, input, attempt } = request;
  const layout = workLayout("restore", execution.name);
  const [plan, environment, done] = await settleAll([
    readWorkJson(context, layout.plan, restorePlan),
    pinnedEnvironment(context, layout, input.environment),
    readWorkJsonIfThere(context, layout.result, finishRestoreResult),
  ]);
  // An earlier run of this step ended while it cleaned up: the records it would need may be gone.
  if (done) return finished(done, { plan, environment, execution }, context);

  const { confirm } = await heldTargets(context, layout, environment, execution);
  const records = restoreWorkLayout(plan.restoreId);
  const [milvus, made, imports = [], uncompared] = await settleBehind(
    // Also while Milvus is away: the targets stay ours.
    confirm(),
    settleAll([
      context.connectMilvus(environment),
      readWorkJson(context, records.collections, z.array(collectionRecord)),
      readWorkJsonIfThere(context, records.imports, z.array(importRecord)),
      readWorkJson(context, layout.uncompared, z.array(z.string())),
    ]),
  );
  const warnings = [...plan.warnings, ...uncompared];
  const recordFor = (collection: PlannedRestore) => madeFor(made, collection);
  const replacer = new CollectionReplacer(milvus, recordFor, confirm);
  const finisher = new RestoreFinisher(milvus, recordFor, imports, replacer);
  for (const collection of plan.collections) warnings.push(...(await finisher.checkRows(collection, attempt === 0)));
  if (attempt === 0) warnings.push(...(await giveIndexes(plan, milvus, context, confirm)));
  const replaced = await countReplacements(plan, { milvus, replacer, key: records.replaced }, context);
  // Rows may have taken long to count, and names are given away from here on: all of them or none. Who gives the only one asks right before it.
  const [only, ...others] = plan.collections;
  if (only === undefined || others.length > 0 || !hasWorkingName(only)) await confirm();
  await writeWorkJson(context, layout.progress, { phase: "replacing" });
  for (const collection of plan.collections) await replacer.giveTargetName(collection);
  // From here on Release says that the collections are in place.
  await writeWorkJson(context, layout.progress, { phase: "loading" });
  // Once: what the old one gets while the new one loads, somebody wants there.
  if (attempt === 0) for (const collection of plan.collections) await replacer.moveAliases(collection);
  for (const collection of plan.collections) warnings.push(...(await finisher.createAliases(collection)));
  const kept = new Map<PlannedRestore, string>();
  for (const collection of plan.collections) {
    const record = replaced.find(({ target }) => target === qualifiedName(collection.target));
    const dropped = await replacer.dropReplaced(collection, record, plan.dropReplaced);
    warnings.push(...dropped.warnings);
    if (dropped.kept !== undefined) kept.set(collection, dropped.kept);
  }
  if (attempt === 0) for (const collection of plan.collections) await finisher.startLoading(collection);
  // Behind the collections: nobody comes before what they may see is whole.
  const rbac = await restoreRbac({ plan, input, milvus, layout, confirm }, context);
  if (rbac) warnings.push(...rbac.warnings);

  if (!(await waitForLoad(plan, finisher, context))) return loading(request);
  if (!environment.keepTempFiles) warnings.push(...(await removeStagedElsewhere(plan, environment, context)));
  const collections = await settleEach(plan.collections, collectionConcurrency, (collection) =>
    finisher.describe(collection, kept.get(collection)),
  );
  const databases = plan.databases.filter(({ empty }) => empty).map(({ name }) => name);
  const result = {
    ...({ outcome: "restored", backupName: plan.backupName, collections, waitSeconds: 0 } as const),
    ...(databases.length > 0 && { databases }),
    ...(rbac && { rbac: rbac.counts }),
    warnings,
  };
  await writeWorkJson(context, layout.result, result);
  return finished(result, { plan, environment, execution }, context);
}

/**
 * Writes down how many rows the new collections have that are to replace others, before any of them gets its name: an old one is dropped
 * only for as many.
 */
async function countReplacements(
  plan: RestorePlan,
  { milvus, replacer, key }: { readonly milvus: Milvus; readonly replacer: CollectionReplacer; readonly key: string },
  context: MilvusContext,
): Promise<readonly ReplacedRecord[]> {
  const replacing = plan.collections.filter(({ replaces }) => replaces !== undefined);
  if (replacing.length === 0) return [];
  const records = (await readWorkJsonIfThere(context, key, z.array(replacedRecord))) ?? [];
  const counted = await settleEach(replacing, collectionConcurrency, async (collection) => {
    const [target, id] = [qualifiedName(collection.target), collection.replaces ?? ""];
    const record = records.find((one) => one.target === target && one.id === id) ?? { target, id };
    // What has its name already may have got or lost rows since.
    if (await replacer.isNamed(collection)) return record;
    return { ...record, rows: (await milvus.rowCount(collection.working)).toString() };
  });
  await writeWorkJson(context, key, counted);
  return counted;
}

async function waitForLoad(plan: RestorePlan, finisher: RestoreFinisher, context: MilvusContext): Promise<boolean> {
  const deadline = context.clock.now().getTime() + closeWatchMilliseconds;
  let loading = plan.collections;
  for (;;) {
    const states = await settleEach(loading, collectionConcurrency, (collection) => finisher.isLoaded(collection));
    loading = loading.filter((_, index) => !states[index]);
    if (loading.length === 0) return true;
    if (context.clock.now().getTime() >= deadline) return false;
    await context.clock.sleep(pollMilliseconds);
  }
}

async function finished(
  result: FinishRestoreResult,
  { plan, environment, execution }: { plan: RestorePlan; environment: RegisteredEnvironment; execution: ExecutionRef },
  context: MilvusContext,
): Promise<FinishRestoreResult> {
  await cleanUp(result, { plan, environment, execution }, context);
  return boundedResult(result, workLayout("restore", execution.name).result);
}

async function cleanUp(
  { collections }: FinishRestoreResult,
  { plan, environment, execution }: { plan: RestorePlan; environment: RegisteredEnvironment; execution: ExecutionRef },
  context: MilvusContext,
): Promise<void> {
  const store = await context.openStore(pinnedStore(environment, "milvus"));
  const layout = workLayout("restore", execution.name);
  const [seen, held] = await settleAll([
    seenLeases(context, layout, environment, execution),
    readHeld(context, layout),
  ]);
  // An earlier run of this step may have given the targets back: what lies there by now may be the next execution's of the same restore.
  if (seen !== undefined) {
    if (!environment.keepTempFiles) await store.deletePrefix(plan.stagingPrefix);
    await context.work.deletePrefix(restoreWorkLayout(plan.restoreId).root);
  }
  const restored = restoredInto(plan, idsOf(collections));
  if (held?.targets) await giveBackTargets(store, held.targets, execution.id, restored, seen);
  await unmarkReader(context, held?.readerKey);
}

/** The leases on the targets as they are; undefined where the restore has not all of them any more. */
async function seenLeases(...of: Parameters<typeof heldTargets>) {
  try {
    return await (await heldTargets(...of)).look();
  } catch (error) {
    if (error instanceof PipelineError && error.name === "ClaimLost") return undefined;
    throw error;
  }
}

/** What is left to do for each collection; every part finds out by itself what an earlier run did already. */
class RestoreFinisher {
  readonly #milvus: Milvus;
  readonly #recordOf: (collection: PlannedRestore) => CollectionRecord;
  /** By the ID of the collection they went into. */
  readonly #imports: ReadonlyMap<string, readonly ImportRecord[]>;
  readonly #replacer: CollectionReplacer;

  constructor(
    milvus: Milvus,
    recordOf: (collection: PlannedRestore) => CollectionRecord,
    imports: readonly ImportRecord[],
    replacer: CollectionReplacer,
  ) {
    this.#milvus = milvus;
    this.#recordOf = recordOf;
    this.#imports = Map.groupBy(imports, ({ collectionId }) => collectionId);
    this.#replacer = replacer;
  }

  /**
   * What stands under its target name was counted before it got it, and may have got rows since.
   * @returns warnings
   */
  async checkRows(collection: PlannedRestore, first: boolean): Promise<string[]> {
    if (hasWorkingName(collection) ? await this.#replacer.isNamed(collection) : !first) return [];
    return checkRows(this.#milvus, collection, this.#rowsOf(collection), this.#recordOf(collection));
  }

  /** Sets aliases that are free; answers a warning for each that points elsewhere. */
  async createAliases({ target, aliases }: PlannedRestore): Promise<string[]> {
    if (aliases.length === 0) return [];
    const warnings: string[] = [];
    const own = new Set((await this.#milvus.describeCollection(target)).aliases);
    for (const alias of aliases.filter((candidate) => !own.has(candidate))) {
      const holder = await this.#milvus.describeAlias(target.database, alias);
      const notSet = `alias ${alias} of ${qualifiedName(target)} was not set`;
      if (holder !== undefined) {
        warnings.push(`${notSet}: it points to ${holder}. Move it with alterAlias if it should point here`);
      } else if (await this.#milvus.hasCollection({ database: target.database, collection: alias })) {
        warnings.push(`${notSet}: a collection has that name`);
      } else await this.#milvus.createAlias(target, alias);
    }
    return warnings;
  }

  async startLoading({ target, load }: PlannedRestore): Promise<void> {
    if (load === "none") return;
    await this.#milvus.load(target, load === "all" ? undefined : load.partitions);
  }

  async isLoaded({ target, load }: PlannedRestore): Promise<boolean> {
    if (load === "none") return true;
    if (load === "all") return (await this.#milvus.loadingProgress(target)) >= 100;
    const progress = await settleEach(load.partitions, partitionConcurrency, (partition) =>
      this.#milvus.loadingProgress(target, partition),
    );
    return progress.every((percent) => percent >= 100);
  }

  /** @param replaced where the collection stands that it took the place of, if that was kept */
  async describe(collection: PlannedRestore, replaced: string | undefined): Promise<RestoredCollection> {
    const { source, target } = collection;
    const { inBackup, imported, inserted } = this.#rowsOf(collection);
    return {
      from: qualifiedName(source),
      to: qualifiedName(target),
      id: this.#recordOf(collection).id,
      rows: (await this.#milvus.rowCount(target)).toString(),
      // As it is: a collection that was there before may be loaded without us.
      loaded: (await this.#milvus.loadingProgress(target)) >= 100,
      inBackup: inBackup.toString(),
      leftOut: (inBackup - imported).toString(),
      imported: imported.toString(),
      ...(inserted && { inserted: { partitions: inserted.partitions, rows: inserted.rows.toString() } }),
      ...(replaced !== undefined && { replaced }),
    };
  }

  #rowsOf(collection: PlannedRestore): CollectionRows {
    return new CollectionRows(collection, this.#imports.get(this.#recordOf(collection).id) ?? []);
  }
}

function madeFor(made: readonly CollectionRecord[], collection: PlannedRestore): CollectionRecord {
  const record = recordOf(made, collection);
  if (!record) throw new Error(`no record of the collection made for ${qualifiedName(collection.target)}`);
  return record;
}
