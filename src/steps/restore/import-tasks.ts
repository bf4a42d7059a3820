import { settleEach } from "../../core/execution/settle.ts";
import type { ImportTask } from "../../core/milvus/descriptions.ts";
import type { PlannedImport, PlannedRestore } from "../../core/plan/planned-restore.ts";
import { directoriesOf } from "../../core/plan/restore-work.ts";

const listConcurrency = 8;

/** The imports Milvus lists for one collection, found by their IDs or by what they read. */
export class ImportTasks {
  readonly #tasks: readonly ImportTask[];
  readonly #byId: ReadonlyMap<string, ImportTask>;
  readonly #byFiles: ReadonlyMap<string, readonly ImportTask[]>;

  constructor(tasks: readonly ImportTask[]) {
    this.#tasks = tasks;
    this.#byId = new Map(tasks.map((task) => [task.id, task]));
    this.#byFiles = Map.groupBy(tasks, (task) => directoriesOf(task.files));
  }

  withId(id: string): ImportTask | undefined {
    return this.#byId.get(id);
  }

  /**
   * A task that reads what a planned import reads, and has not failed. Milvus 2.4+ does not tell the partition.
   */
  like(planned: PlannedImport): ImportTask | undefined {
    return this.#byFiles
      .get(planned.directories)
      ?.find((task) => task.state !== "failed" && (task.partition === "" || task.partition === planned.partition));
  }

  /** Whether any of them, whoever submitted it, may still bring rows. */
  get anyRuns(): boolean {
    return this.#tasks.some(isOpen);
  }

  /** Milvus 2.4+ tells a pending job's files only later: until then nobody knows which import it is. */
  hasUnknown(recorded: ReadonlySet<string>): boolean {
    return this.#tasks.some((task) => task.files.length === 0 && isOpen(task) && !recorded.has(task.id));
  }
}

/** The lists of one turn: one a collection at most, and none of a collection that nobody asks about. */
export class TaskLists {
  readonly #list: (collection: PlannedRestore) => Promise<readonly ImportTask[]>;
  readonly #lists = new Map<PlannedRestore, ImportTasks>();

  constructor(list: (collection: PlannedRestore) => Promise<readonly ImportTask[]>) {
    this.#list = list;
  }

  /** Lists many collections, several at once, as long as there is time. */
  async look(collections: Iterable<PlannedRestore>, hasTime: () => boolean): Promise<void> {
    await settleEach(collections, listConcurrency, async (collection) => {
      if (hasTime()) await this.of(collection);
    });
  }

  async of(collection: PlannedRestore): Promise<ImportTasks> {
    const known = this.#lists.get(collection);
    if (known) return known;
    const listed = new ImportTasks(await this.#list(collection));
    this.#lists.set(collection, listed);
    return listed;
  }

  /** undefined where there was no time to list it. */
  seen(collection: PlannedRestore): ImportTasks | undefined {
    return this.#lists.get(collection);
  }
}

function isOpen({ state }: ImportTask): boolean {
  return state === "pending" || state === "importing";
}
