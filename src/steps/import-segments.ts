import { PipelineError } from "../core/errors.ts";
import type { PlannedImport } from "../core/import-plan.ts";
import type { ImportSegmentsResult, RestoreStepRequest } from "../core/messages.ts";
import type { CollectionName, ImportFiles, ImportTask } from "../core/milvus-descriptions.ts";
import { qualifiedName } from "../core/names.ts";
import type { PlannedRestore, RestorePlan } from "../core/restore-plan.ts";
import { type CollectionRecord, type ImportRecord, restoreWorkLayout } from "../core/restore-work.ts";
import { workLayout } from "../core/work-layout.ts";
import type { Milvus } from "../ports/milvus.ts";
import type { StepContext } from "../ports/step-context.ts";
import { readWorkJson, readWorkJsonIfThere, writeWorkJson } from "./work-files.ts";

/** Small restores are over in seconds: the first calls watch closely before they leave the waiting to the machine. */
const pollMilliseconds = 200;
const closeWatches = 3;
const closeWatchMilliseconds = 20_000;
const longestWaitSeconds = 30;

/**
 * One turn of the import loop: submits what may start, looks at what runs, and answers how far it is. An import is submitted at
 * most once: what is recorded is not submitted again, and what Milvus lists with the same files is adopted.
 * Throws ImportFailed with Milvus's reason, and what Milvus throws.
 */
export async function importSegments(request: RestoreStepRequest, context: StepContext): Promise<ImportSegmentsResult> {
  const { execution, input, attempt } = request;
  const layout = workLayout("restore", execution.name);
  const [plan, environment] = await Promise.all([
    readWorkJson<RestorePlan>(context, layout.plan),
    context.environments.get(input.environment),
  ]);
  const loop = new ImportLoop(plan, await context.connectMilvus(environment), context, {
    inFlight: environment.parallelism.importJob,
  });
  await loop.start();
  const deadline = context.clock.now().getTime() + (attempt < closeWatches ? closeWatchMilliseconds : 0);
  for (;;) {
    const result = await loop.turn();
    await writeWorkJson(context, layout.progress, { phase: "importing", ...result });
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
  readonly #context: StepContext;
  readonly #inFlight: number;
  readonly #recordKey: string;
  readonly #imports: readonly Import[];
  #records = new Map<number, ImportRecord>();
  #collections: readonly CollectionRecord[] = [];

  constructor(plan: RestorePlan, milvus: Milvus, context: StepContext, options: { inFlight: number }) {
    this.#plan = plan;
    this.#milvus = milvus;
    this.#context = context;
    this.#inFlight = options.inFlight;
    this.#recordKey = restoreWorkLayout(plan.restoreId).imports;
    this.#imports = plan.collections.flatMap((collection) =>
      collection.imports.map((planned) => ({ collection, planned })),
    );
  }

  async start(): Promise<void> {
    const { collections, imports } = restoreWorkLayout(this.#plan.restoreId);
    const [made, records] = await Promise.all([
      readWorkJson<CollectionRecord[]>(this.#context, collections),
      readWorkJsonIfThere<ImportRecord[]>(this.#context, imports),
    ]);
    this.#collections = made;
    this.#records = new Map((records ?? []).map((record) => [record.task, record]));
  }

  /** Looks at everything that is open, then submits what may start now. */
  async turn(): Promise<{ imports: number; completed: number; progress: number }> {
    const open = this.#imports.filter(({ planned }) => this.#records.get(planned.task)?.state !== "completed");
    const tasks = await this.#listTasks(open);
    let changed = false;
    let running = 0;
    let progress = 0;
    for (const item of open) {
      const task = this.#find(item, tasks);
      if (!task) continue;
      this.#checkFailure(item, task);
      changed = this.#record(item, task) || changed;
      if (task.state !== "completed") running += 1;
      progress += task.state === "completed" ? 100 : task.progress;
    }
    if (changed) await this.#writeRecords();
    const unknown = this.#collectionsWithUnknownTasks(tasks);
    for (const item of this.#startable()) {
      if (running >= this.#inFlight) break;
      if (unknown.has(qualifiedName(item.collection.working))) continue;
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

  async #listTasks(open: readonly Import[]): Promise<ReadonlyMap<string, readonly ImportTask[]>> {
    const names = new Map(open.map(({ collection }) => [qualifiedName(collection.working), collection]));
    return new Map(
      await Promise.all(
        [...names].map(async ([key, collection]): Promise<[string, ImportTask[]]> => {
          const before = new Set(this.#recordOf(collection)?.importsBefore);
          const tasks = await this.#milvus.listImports(collection.working);
          return [key, tasks.filter((task) => !before.has(task.id))];
        }),
      ),
    );
  }

  #recordOf(collection: PlannedRestore): CollectionRecord | undefined {
    return this.#collections.find(({ target }) => target === qualifiedName(collection.target));
  }

  /** The recorded task; else one with the same files that a run submitted and could not record any more. */
  #find({ collection, planned }: Import, tasks: ReadonlyMap<string, readonly ImportTask[]>): ImportTask | undefined {
    const ofCollection = tasks.get(qualifiedName(collection.working)) ?? [];
    const record = this.#records.get(planned.task);
    if (record) {
      const known = ofCollection.find(({ id }) => id === record.id);
      if (known) return known;
      throw new PipelineError(
        "ImportFailed",
        `Milvus at ${this.#milvus.address} no longer knows import ${record.id} into ${qualifiedName(collection.working)}, ` +
          "so nobody can tell whether its rows arrived. Discard this restore (restore --discard) and start it again",
      );
    }
    return ofCollection.find((task) => task.state !== "failed" && isImportOf(task, planned));
  }

  /** Milvus 2.4+ tells a pending job's files only later: until then nobody knows whether it is one of these imports. */
  #collectionsWithUnknownTasks(tasks: ReadonlyMap<string, readonly ImportTask[]>): ReadonlySet<string> {
    const recorded = new Set([...this.#records.values()].map(({ id }) => id));
    const isUnknown = (task: ImportTask) =>
      task.files.length === 0 && task.state !== "failed" && task.state !== "completed" && !recorded.has(task.id);
    return new Set([...tasks].filter(([, listed]) => listed.some(isUnknown)).map(([name]) => name));
  }

  async #writeRecords(): Promise<void> {
    await writeWorkJson(this.#context, this.#recordKey, [...this.#records.values()]);
  }

  #checkFailure({ collection, planned }: Import, task: ImportTask): void {
    if (task.state !== "failed") return;
    const into = `${qualifiedName(collection.target)}${planned.partition ? ` (partition ${planned.partition})` : ""}`;
    // Forgotten, so that the same restore started again submits it anew.
    this.#records.delete(planned.task);
    throw new PipelineError(
      "ImportFailed",
      `Milvus could not import into ${into}: ${task.failedReason || "no reason given"}`,
      {
        details: { import: task.id },
      },
    );
  }

  #record({ planned }: Import, task: ImportTask): boolean {
    const record: ImportRecord = {
      task: planned.task,
      id: task.id,
      state: task.state === "completed" ? "completed" : "submitted",
      rows: task.rows.toString(),
    };
    const known = this.#records.get(planned.task);
    this.#records.set(planned.task, record);
    return known?.id !== record.id || known.state !== record.state;
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

  async #submit({ collection, planned }: Import): Promise<void> {
    const name: CollectionName = collection.working;
    const id = await this.#milvus.submitImport({
      name,
      partition: planned.partition,
      files: planned.files,
      kind: planned.kind,
      storageVersion: planned.storageVersion,
    });
    this.#records.set(planned.task, { task: planned.task, id, state: "submitted", rows: "0" });
    // At once: what is submitted and not recorded is only found again by its files.
    await this.#writeRecords();
  }
}

/** Milvus 2.4+ tells neither the partition nor which delta directory belongs to which insert directory. */
function isImportOf(task: ImportTask, planned: PlannedImport): boolean {
  const directories = (files: readonly ImportFiles[]) =>
    files
      .map(({ insert, delta }) => withoutSlash(insert || delta))
      .sort()
      .join();
  return (
    (task.partition === "" || task.partition === planned.partition) &&
    directories(task.files) === directories(planned.files)
  );
}

function withoutSlash(path: string): string {
  return path.endsWith("/") ? path.slice(0, -1) : path;
}
