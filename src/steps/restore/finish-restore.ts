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
import { roundWait } from "../../core/execution/round-wait.ts";
import { settleAll, settleEach } from "../../core/execution/settle.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { hasWorkingName, type PlannedRestore, type RestorePlan, restorePlan } from "../../core/plan/restore.ts";
import {
  type CollectionRecord,
  collectionRecord,
  type ImportRecord,
  importRecord,
  recordOf,
  restoreWorkLayout,
} from "../../core/plan/restore-work.ts";
import { CollectionRows } from "../../core/plan/row-check.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import { readHeld } from "../shared/held.ts";
import { releaseLease } from "../shared/lease.ts";
import { pinnedEnvironment } from "../shared/pinned-environments.ts";
import { unmarkReader } from "../shared/readers.ts";
import { readWorkJson, readWorkJsonIfThere, writeWorkJson } from "../shared/work-files.ts";
import { checkRows } from "./check-rows.ts";
import { isMilvusAway } from "./milvus-away.ts";

/** Loading takes seconds to hours: watched closely for a while, then left to the machine's waiting. */
const pollMilliseconds = 200;
const closeWatchMilliseconds = 15_000;

const collectionConcurrency = 8;
/** Of one collection. */
const partitionConcurrency = 8;

/**
 * Last step of a restore: checks the row counts, gives each collection its target name (dropping the one it replaces only now), sets free
 * aliases, loads what was loaded, removes staging files and records. Answers `loading` while collections load.
 * @throws RowCountMismatch before anything gets its target name, EnvironmentChanged, and what Milvus throws
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
function loading({ input, attempt }: RestoreStepRequest): FinishRestoreResult {
  const { backupName } = input;
  return { outcome: "loading", backupName, collections: [], warnings: [], waitSeconds: roundWait(attempt) };
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

  const milvus = await context.connectMilvus(environment);
  const records = restoreWorkLayout(plan.restoreId);
  const made = await readWorkJson(context, records.collections, z.array(collectionRecord));
  const imports = (await readWorkJsonIfThere(context, records.imports, z.array(importRecord))) ?? [];
  const warnings = [...plan.warnings, ...(await readWorkJson(context, layout.uncompared, z.array(z.string())))];
  const finisher = new RestoreFinisher(milvus, made, imports);
  for (const collection of plan.collections) warnings.push(...(await finisher.checkRows(collection, attempt === 0)));
  for (const collection of plan.collections) await finisher.giveTargetName(collection, plan.dropExisting);
  // From here on Release says that the collections are in place.
  await writeWorkJson(context, layout.progress, { phase: "loading" });
  for (const collection of plan.collections) warnings.push(...(await finisher.createAliases(collection)));
  if (attempt === 0) for (const collection of plan.collections) await finisher.startLoading(collection);

  if (!(await waitForLoad(plan, finisher, context))) return loading(request);
  const collections = await settleEach(plan.collections, collectionConcurrency, (collection) =>
    finisher.describe(collection),
  );
  const result = { outcome: "restored", backupName: plan.backupName, collections, warnings, waitSeconds: 0 } as const;
  await writeWorkJson(context, layout.result, result);
  return finished(result, { plan, environment, execution }, context);
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
  await cleanUp(plan, environment, context, execution);
  return boundedResult(result, workLayout("restore", execution.name).result);
}

async function cleanUp(
  plan: RestorePlan,
  environment: RegisteredEnvironment,
  context: MilvusContext,
  execution: ExecutionRef,
): Promise<void> {
  if (!environment.keepTempFiles) {
    const store = await context.openStore(pinnedStore(environment, "milvus"));
    await store.deletePrefix(plan.stagingPrefix);
  }
  await context.work.deletePrefix(restoreWorkLayout(plan.restoreId).root);
  await releaseLease(context, "restore", plan.leaseSubject, execution.id);
  await unmarkReader(context, (await readHeld(context, workLayout("restore", execution.name)))?.readerKey);
}

/** What is left to do for each collection; every part finds out by itself what an earlier run did already. */
class RestoreFinisher {
  readonly #milvus: Milvus;
  readonly #made: readonly CollectionRecord[];
  /** By the ID of the collection they went into. */
  readonly #imports: ReadonlyMap<string, readonly ImportRecord[]>;

  constructor(milvus: Milvus, made: readonly CollectionRecord[], imports: readonly ImportRecord[]) {
    this.#milvus = milvus;
    this.#made = made;
    this.#imports = Map.groupBy(imports, ({ collectionId }) => collectionId);
  }

  /**
   * What stands under its target name was counted before it got it, and may have got rows since.
   * @returns warnings
   */
  async checkRows(collection: PlannedRestore, first: boolean): Promise<string[]> {
    if (hasWorkingName(collection) ? await this.#isRenamed(collection) : !first) return [];
    return checkRows(this.#milvus, collection, this.#rowsOf(collection), this.#recordOf(collection));
  }

  /** The commit of a restore: from here on the collection stands under its target name. */
  async giveTargetName(collection: PlannedRestore, dropExisting: boolean): Promise<void> {
    const { working, target } = collection;
    if (!hasWorkingName(collection) || (await this.#isRenamed(collection))) return;
    if (dropExisting && (await this.#milvus.hasCollection(target))) await this.#milvus.dropCollection(target);
    await this.#milvus.renameCollection(working, target.collection);
  }

  /** Sets aliases that are free; answers a warning for each that points elsewhere. */
  async createAliases({ target, aliases }: PlannedRestore): Promise<string[]> {
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

  async describe(collection: PlannedRestore): Promise<RestoredCollection> {
    const { source, target } = collection;
    const { inBackup, imported } = this.#rowsOf(collection);
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
    };
  }

  #rowsOf(collection: PlannedRestore): CollectionRows {
    return new CollectionRows(collection, this.#imports.get(this.#recordOf(collection).id) ?? []);
  }

  #recordOf(collection: PlannedRestore): CollectionRecord {
    const record = recordOf(this.#made, collection);
    if (!record) throw new Error(`no record of the collection made for ${qualifiedName(collection.target)}`);
    return record;
  }

  /** By ID: where somebody dropped the working collection, what has the target name is another one. */
  async #isRenamed(collection: PlannedRestore): Promise<boolean> {
    const { working, target } = collection;
    const { id } = this.#recordOf(collection);
    if (await this.#milvus.hasCollection(working)) {
      if ((await this.#milvus.describeCollection(working)).id === id) return false;
      throw new PipelineError(
        "MilvusFailed",
        `${qualifiedName(working)} (for ${qualifiedName(target)}) in Milvus at ${this.#milvus.address} is not the collection that was imported into: ` +
          "somebody dropped that and made another, such as the same restore of another deployment. Nothing was replaced; start the same restore again when " +
          "nobody else restores there",
      );
    }
    if ((await this.#milvus.hasCollection(target)) && (await this.#milvus.describeCollection(target)).id === id)
      return true;
    throw new PipelineError(
      "MilvusFailed",
      `${qualifiedName(working)} (for ${qualifiedName(target)}) is gone from Milvus at ${this.#milvus.address}: somebody dropped it. Start the same restore again, which makes it anew`,
    );
  }
}
