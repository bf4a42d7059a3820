import type { ImportTask } from "../../core/milvus/descriptions.ts";
import type { PlannedImport } from "../../core/plan/imports.ts";
import { directoriesOf } from "../../core/plan/restore-work.ts";

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

  /** Milvus 2.4+ tells a pending job's files only later: until then nobody knows which import it is. */
  hasUnknown(recorded: ReadonlySet<string>): boolean {
    return this.#tasks.some(
      ({ id, files, state }) => files.length === 0 && state !== "failed" && state !== "completed" && !recorded.has(id),
    );
  }
}
