import * as z from "zod";
import { PipelineError } from "../../core/execution/errors.ts";
import type { ImportSegmentsResult, RestoreStepRequest } from "../../core/execution/messages.ts";
import { settleAll, settleEach } from "../../core/execution/settle.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import type { ImportRequest, ImportTask } from "../../core/milvus/descriptions.ts";
import { type Instant, wantsHybridTimestamp } from "../../core/milvus/instant.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import type { PlannedImport } from "../../core/plan/imports.ts";
import { type PlannedRestore, type RestorePlan, restorePlan } from "../../core/plan/restore.ts";
import {
  type CollectionRecord,
  collectionRecord,
  type ImportRecord,
  importFiles,
  importRecord,
  recordOf,
  restoreWorkLayout,
} from "../../core/plan/restore-work.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import { pinnedEnvironment } from "../shared/pinned-environments.ts";
import { heldTargets } from "../shared/target-leases.ts";
import { readWorkJson, readWorkJsonIfThere, writeWorkJson } from "../shared/work-files.ts";
import { ImportTasks } from "./import-tasks.ts";

/** Small restores are over in seconds: the first calls watch closely before they leave the waiting to the machine. */
const pollMilliseconds = 200;
const closeWatches = 3;
const closeWatchMilliseconds = 20_000;
const longestWaitSeconds = 30;
const listConcurrency = 8;

/**
 * One turn of the import loop: submits what may start, looks at what runs, and answers how far it is. An import is submitted at most once:
 * what is recorded is not submitted again, and what Milvus lists with the same files is adopted.
 * @throws ImportFailed with Milvus's reason, InvalidInput where an earlier run imported something else, ClaimLost, EnvironmentChanged, and
 *   what Milvus throws
 */
export async function importSegments(
  request: RestoreStepRequest,
  context: MilvusContext,
): Promise<ImportSegmentsResult> {
  const { execution, input, attempt } = request;
  const layout = workLayout("restore", execution.name);
  const [plan, environment] = await settleAll([
    readWorkJson(context, layout.plan, restorePlan),
    pinnedEnvironment(context, layout, input.environment),
  ]);
  const loop = new ImportLoop(plan, await context.connectMilvus(environment), context, {
    inFlight: environment.parallelism.importJob,
    filesKey: layout.importFiles,
  });
  await loop.start();
  const { watch } = await heldTargets(context, layout, environment, execution);
  const deadline = context.clock.now().getTime() + (attempt < closeWatches ? closeWatchMilliseconds : 0);
  let shown = "";
  for (;;) {
    await watch();
    const result = await loop.turn();
    // Polls are many and most see no change: only a change is written.
    const progress = JSON.stringify(result);
    if (progress !== shown) await writeWorkJson(context, layout.progress, { phase: "importing", ...result });
    shown = progress;
    if (result.completed === result.imports) return { outcome: "imported", ...result, waitSeconds: 0 };
    if (context.clock.now().getTime() >= deadline) {
      const waitSeconds = Math.min(longestWaitSeconds, 2 ** Math.max(0, attempt - closeWatches + 1));
      return { outcome: "imports-pending", ...result, waitSeconds };
    }
    await context.clock.sleep(pollMilliseconds);
  }
}

interface Import {
  readonly collection: PlannedRestore;
  readonly planned: PlannedImport;
}

class ImportLoop {
  readonly #plan: RestorePlan;
  readonly #milvus: Milvus;
  readonly #context: MilvusContext;
  readonly #inFlight: number;
  readonly #filesKey: (task: number) => string;
  readonly #recordKey: string;
  readonly #imports: readonly Import[];
  /** What the restore made of each collection. */
  readonly #made = new Map<PlannedRestore, CollectionRecord>();
  readonly #records = new Map<number, ImportRecord>();
  /** Of collections that this plan is not about: a run with other options may go on with them. */
  #others: readonly ImportRecord[] = [];
  /** Whether the server takes the end of an import as a hybrid timestamp only. */
  #wantsHybrid = false;

  constructor(
    plan: RestorePlan,
    milvus: Milvus,
    context: MilvusContext,
    options: { inFlight: number; filesKey: (task: number) => string },
  ) {
    this.#plan = plan;
    this.#milvus = milvus;
    this.#context = context;
    this.#inFlight = options.inFlight;
    this.#filesKey = options.filesKey;
    this.#recordKey = restoreWorkLayout(plan.restoreId).imports;
    this.#imports = plan.collections.flatMap((collection) =>
      collection.imports.map((planned) => ({ collection, planned })),
    );
  }

  async start(): Promise<void> {
    const { collections } = restoreWorkLayout(this.#plan.restoreId);
    const [made, records] = await settleAll([
      readWorkJson(this.#context, collections, z.array(collectionRecord)),
      readWorkJsonIfThere(this.#context, this.#recordKey, z.array(importRecord)),
    ]);
    for (const collection of this.#plan.collections) {
      const record = recordOf(made, collection);
      if (!record) throw new Error(`no record of the collection made for ${qualifiedName(collection.target)}`);
      this.#made.set(collection, record);
    }
    this.#take(records ?? []);
  }

  /** Looks at everything that is open, then submits what may start now. */
  async turn(): Promise<{ imports: number; completed: number; progress: number }> {
    const open = this.#imports.filter(({ planned }) => !this.#isComplete(planned));
    const tasks = await this.#listTasks(open);
    let changed = false;
    let running = 0;
    let progress = 0;
    let failure: PipelineError | undefined;
    for (const item of open) {
      const task = this.#find(item, tasks);
      if (!task) continue;
      if (task.state === "failed" && !this.#wantsHybrid && wantsHybridTimestamp(task.failedReason)) {
        // Read only when the job ran: from now on this server gets what it wants.
        this.#wantsHybrid = true;
        changed = this.#records.delete(item.planned.task) || changed;
        continue;
      }
      if (task.state === "failed") {
        // Forgotten, so that the same restore started again submits it anew.
        changed = this.#records.delete(item.planned.task) || changed;
        failure ??= importFailed(item, task);
        continue;
      }
      changed = this.#record(item, task) || changed;
      if (task.state !== "completed") running += 1;
      progress += task.state === "completed" ? 100 : task.progress;
    }
    if (changed) await this.#writeRecords();
    if (failure) throw failure;
    const recorded = new Set([...this.#records.values()].map(({ id }) => id));
    for (const item of this.#startable()) {
      if (running >= this.#inFlight) break;
      if (tasks.get(item.collection)?.hasUnknown(recorded)) continue;
      await this.#submit(item);
      running += 1;
    }
    const completed = this.#imports.filter(({ planned }) => this.#isComplete(planned)).length;
    const before = this.#imports.length - open.length;
    return {
      imports: this.#imports.length,
      completed,
      progress: this.#imports.length === 0 ? 100 : Math.floor((before * 100 + progress) / this.#imports.length),
    };
  }

  /** Takes over the records of earlier runs, as far as they are about the collections that stand now. */
  #take(records: readonly ImportRecord[]): void {
    const current = new Set([...this.#made.values()].map(({ id }) => id));
    const planned = new Map(this.#imports.map((item) => [item.planned.task, item]));
    for (const record of records.filter(({ collectionId }) => current.has(collectionId))) {
      const item = planned.get(record.task);
      if (
        !item ||
        this.#made.get(item.collection)?.id !== record.collectionId ||
        item.planned.fingerprint !== record.planned
      ) {
        throw new PipelineError(
          "InvalidInput",
          "an earlier run of this restore has already imported other files into the same collections (it ran with other options, " +
            "or the target was another version then): start it as it was, or with discard (restore --discard) and then anew",
          { details: { key: "discard" } },
        );
      }
      this.#records.set(record.task, record);
    }
    this.#others = records.filter(({ collectionId }) => !current.has(collectionId));
  }

  async #listTasks(open: readonly Import[]): Promise<ReadonlyMap<PlannedRestore, ImportTasks>> {
    const collections = [...new Set(open.map(({ collection }) => collection))];
    const tasksOf = async (collection: PlannedRestore): Promise<[PlannedRestore, ImportTasks]> => {
      const before = new Set(this.#made.get(collection)?.importsBefore);
      const listed = await this.#milvus.listImports(collection.working);
      return [collection, new ImportTasks(listed.filter((task) => !before.has(task.id)))];
    };
    return new Map(await settleEach(collections, listConcurrency, tasksOf));
  }

  /** The recorded task; else one with the same files that a run submitted and could not record any more. */
  #find({ collection, planned }: Import, tasks: ReadonlyMap<PlannedRestore, ImportTasks>): ImportTask | undefined {
    const ofCollection = tasks.get(collection);
    const record = this.#records.get(planned.task);
    if (!record) return ofCollection?.like(planned);
    const known = ofCollection?.withId(record.id);
    if (known) return known;
    throw new PipelineError(
      "ImportFailed",
      `Milvus at ${this.#milvus.address} no longer knows import ${record.id} into ${qualifiedName(collection.working)}, ` +
        "so nobody can tell whether its rows arrived. Discard this restore (restore --discard) and start it again",
    );
  }

  async #writeRecords(): Promise<void> {
    await writeWorkJson(this.#context, this.#recordKey, [...this.#others, ...this.#records.values()]);
  }

  #record(item: Import, task: ImportTask): boolean {
    const state = task.state === "completed" ? "completed" : "submitted";
    const known = this.#records.get(item.planned.task);
    this.#set(item, { id: task.id, state, rows: task.rows.toString() });
    return known?.id !== task.id || known.state !== state;
  }

  #set({ collection, planned }: Import, task: Pick<ImportRecord, "id" | "state" | "rows">): void {
    const collectionId = this.#made.get(collection)?.id ?? "";
    this.#records.set(planned.task, { collectionId, task: planned.task, planned: planned.fingerprint, ...task });
  }

  #isComplete(planned: PlannedImport): boolean {
    return this.#records.get(planned.task)?.state === "completed";
  }

  /** Imports that are not submitted, of the earliest phase of their collection that is not complete. */
  #startable(): Import[] {
    const phases = new Map<PlannedRestore, number>();
    for (const { collection, planned } of this.#imports) {
      if (this.#isComplete(planned)) continue;
      phases.set(collection, Math.min(planned.phase, phases.get(collection) ?? planned.phase));
    }
    return this.#imports.filter(
      ({ collection, planned }) => !this.#records.has(planned.task) && planned.phase === phases.get(collection),
    );
  }

  async #submit(item: Import): Promise<void> {
    const { task, partition, kind, storageVersion } = item.planned;
    const { working: name, instant } = item.collection;
    const files = await readWorkJson(this.#context, this.#filesKey(task), importFiles);
    const request = { name, partition, files, kind, storageVersion };
    await this.#checkStillThere(item.collection);
    const id = instant ? await this.#submitUpTo(request, instant) : await this.#milvus.submitImport(request);
    this.#set(item, { id, state: "submitted", rows: "0" });
    // At once: what is submitted and not recorded is only found again by its files.
    await this.#writeRecords();
  }

  /** Names change hands: what is submitted goes into the very collection that was recorded, or nowhere. */
  async #checkStillThere(collection: PlannedRestore): Promise<void> {
    const { id } = await this.#milvus.describeCollection(collection.working);
    if (id === this.#made.get(collection)?.id) return;
    throw new PipelineError(
      "ImportFailed",
      `${qualifiedName(collection.working)} in Milvus at ${this.#milvus.address} is not the collection that the restore made: somebody dropped that and made ` +
        "another. Nothing was imported into it; start the same restore again when nobody else works there",
    );
  }

  /** Milliseconds first: a server that wants the other says so, and filters nothing before it has. */
  async #submitUpTo(request: ImportRequest, { timestamp }: Instant): Promise<string> {
    const hybrid = { ...request, end: { timestamp, unit: "hybrid" } } as const;
    if (this.#wantsHybrid) return this.#milvus.submitImport(hybrid);
    try {
      return await this.#milvus.submitImport({ ...request, end: { timestamp } });
    } catch (error) {
      if (!(error instanceof PipelineError) || !wantsHybridTimestamp(error.message)) throw error;
      this.#wantsHybrid = true;
      return this.#milvus.submitImport(hybrid);
    }
  }
}

function importFailed({ collection, planned }: Import, task: ImportTask): PipelineError {
  const into = `${qualifiedName(collection.target)}${planned.partition ? ` (partition ${planned.partition})` : ""}`;
  return new PipelineError(
    "ImportFailed",
    `Milvus could not import into ${into}: ${task.failedReason || "no reason given"}`,
    { details: { import: task.id } },
  );
}
