import type { Environment } from "../core/environment.ts";
import { PipelineError } from "../core/errors.ts";
import type { FinishRestoreResult, RestoredCollection, RestoreStepRequest } from "../core/messages.ts";
import { qualifiedName } from "../core/names.ts";
import type { PlannedRestore, RestorePlan } from "../core/restore-plan.ts";
import { type CollectionRecord, type ImportRecord, restoreWorkLayout } from "../core/restore-work.ts";
import { workLayout } from "../core/work-layout.ts";
import type { Milvus } from "../ports/milvus.ts";
import type { StepContext } from "../ports/step-context.ts";
import { releaseLease } from "./lease.ts";
import { readWorkJson, readWorkJsonIfThere, writeWorkJson } from "./work-files.ts";

/** Loading takes seconds to hours: watched closely for a while, then left to the machine's waiting. */
const pollMilliseconds = 200;
const closeWatchMilliseconds = 15_000;
const longestWaitSeconds = 30;

/**
 * Last step of a restore: checks the row counts, gives each collection its target name (dropping the one it replaces only now),
 * sets free aliases, loads what was loaded, removes staging files and records. Answers `loading` while collections load.
 * Throws RowCountMismatch before anything gets its target name, and what Milvus throws.
 */
export async function finishRestore(request: RestoreStepRequest, context: StepContext): Promise<FinishRestoreResult> {
  const { execution, input, attempt } = request;
  const layout = workLayout("restore", execution.name);
  const [plan, environment] = await Promise.all([
    readWorkJson<RestorePlan>(context, layout.plan),
    context.environments.get(input.environment),
  ]);
  const milvus = await context.connectMilvus(environment);
  const made = await readWorkJson<CollectionRecord[]>(context, restoreWorkLayout(plan.restoreId).collections);
  const imports = (await readWorkJsonIfThere<ImportRecord[]>(context, restoreWorkLayout(plan.restoreId).imports)) ?? [];

  const finisher = new RestoreFinisher(milvus, made, imports);
  for (const collection of plan.collections) await finisher.checkRows(collection);
  for (const collection of plan.collections) await finisher.giveTargetName(collection, plan.dropExisting);
  const warnings = [...plan.warnings];
  for (const collection of plan.collections) warnings.push(...(await finisher.createAliases(collection)));
  if (attempt === 0) for (const collection of plan.collections) await finisher.startLoading(collection);

  const loaded = await waitForLoad(plan, finisher, context);
  const collections = await Promise.all(plan.collections.map((collection) => finisher.describe(collection)));
  const result = { backupName: plan.backupName, collections, warnings };
  if (!loaded) {
    await writeWorkJson(context, layout.progress, { phase: "loading" });
    return { outcome: "loading", ...result, waitSeconds: Math.min(longestWaitSeconds, 2 ** attempt) };
  }
  await cleanUp(plan, environment, context, execution.id);
  return { outcome: "restored", ...result, waitSeconds: 0 };
}

async function waitForLoad(plan: RestorePlan, finisher: RestoreFinisher, context: StepContext): Promise<boolean> {
  const deadline = context.clock.now().getTime() + closeWatchMilliseconds;
  for (;;) {
    const states = await Promise.all(plan.collections.map((collection) => finisher.isLoaded(collection)));
    if (states.every(Boolean)) return true;
    if (context.clock.now().getTime() >= deadline) return false;
    await context.clock.sleep(pollMilliseconds);
  }
}

async function cleanUp(
  plan: RestorePlan,
  environment: Environment,
  context: StepContext,
  executionArn: string,
): Promise<void> {
  if (!environment.keepTempFiles) {
    const store = await context.openStore({ environment: environment.name, side: "milvus" });
    await store.deletePrefix(plan.stagingPrefix);
  }
  await context.work.deletePrefix(restoreWorkLayout(plan.restoreId).root);
  await releaseLease(context, "restore", plan.leaseSubject, executionArn);
}

/** What is left to do for each collection; every part finds out by itself what an earlier run did already. */
class RestoreFinisher {
  readonly #milvus: Milvus;
  readonly #made: readonly CollectionRecord[];
  readonly #imports: ReadonlyMap<number, ImportRecord>;

  constructor(milvus: Milvus, made: readonly CollectionRecord[], imports: readonly ImportRecord[]) {
    this.#milvus = milvus;
    this.#made = made;
    this.#imports = new Map(imports.map((record) => [record.task, record]));
  }

  /** Milvus must hold exactly the rows its imports reported, and without deletes exactly those of the backup. */
  async checkRows(collection: PlannedRestore): Promise<void> {
    const record = this.#recordOf(collection);
    const name = (await this.#isRenamed(collection)) ? collection.target : collection.working;
    const rows = (await this.#milvus.rowCount(name)) - BigInt(record.rowsBefore);
    const inBackup = sum(collection.imports.map((planned) => planned.rows));
    const imported = sum(collection.imports.map(({ task }) => this.#imports.get(task)?.rows ?? "0"));
    const hasDeletes = collection.imports.some((planned) => planned.hasDeletes);
    if (rows !== imported || (hasDeletes ? rows > inBackup : rows !== inBackup)) {
      throw new PipelineError(
        "RowCountMismatch",
        `${qualifiedName(collection.target)}: the backup holds ${inBackup} rows${hasDeletes ? " (some deleted)" : ""}, its imports reported ${imported}, ` +
          `and Milvus counts ${rows} in ${qualifiedName(collection.working)}, which did not get its target name`,
      );
    }
  }

  /** The commit of a restore: from here on the collection stands under its target name. */
  async giveTargetName(collection: PlannedRestore, dropExisting: boolean): Promise<void> {
    const { working, target } = collection;
    if (qualifiedName(working) === qualifiedName(target) || (await this.#isRenamed(collection))) return;
    if (dropExisting && (await this.#milvus.hasCollection(target))) await this.#milvus.dropCollection(target);
    await this.#milvus.renameCollection(working, target.collection);
  }

  /** Sets aliases that are free; answers a warning for each that points elsewhere. */
  async createAliases({ target, aliases }: PlannedRestore): Promise<string[]> {
    const warnings: string[] = [];
    const own = new Set((await this.#milvus.describeCollection(target)).aliases);
    for (const alias of aliases.filter((candidate) => !own.has(candidate))) {
      const holder = await this.#milvus.describeAlias(target.database, alias);
      if (holder === undefined) await this.#milvus.createAlias(target, alias);
      else {
        warnings.push(
          `alias ${alias} of ${qualifiedName(target)} was not set: it points to ${holder}. Move it with alterAlias if it should point here`,
        );
      }
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
    const progress = await Promise.all(
      load.partitions.map((partition) => this.#milvus.loadingProgress(target, partition)),
    );
    return progress.every((percent) => percent >= 100);
  }

  async describe(collection: PlannedRestore): Promise<RestoredCollection> {
    const { source, target, load } = collection;
    return {
      from: qualifiedName(source),
      to: qualifiedName(target),
      id: this.#recordOf(collection).id,
      rows: (await this.#milvus.rowCount(target)).toString(),
      loaded: load !== "none",
    };
  }

  #recordOf({ target }: PlannedRestore): CollectionRecord {
    const record = this.#made.find((candidate) => candidate.target === qualifiedName(target));
    if (!record) throw new Error(`no record of the collection made for ${qualifiedName(target)}`);
    return record;
  }

  async #isRenamed(collection: PlannedRestore): Promise<boolean> {
    return !(await this.#milvus.hasCollection(collection.working));
  }
}

function sum(values: readonly string[]): bigint {
  return values.reduce((total, value) => total + BigInt(value), 0n);
}
