import { importWays } from "../../../src/adapters/milvus/imports.ts";
import { features } from "../../../src/core/milvus/version.ts";
import type {
  CollectionName,
  Id,
  ImportQuery,
  ImportRequest,
  ImportTask,
  ImportWay,
} from "../../../src/ports/milvus.ts";
import type { MemoryCatalog } from "./catalog.ts";
import type { MemoryCollection, MemoryImport } from "./collection.ts";

export interface ImportOptions {
  readonly version: string;
  readonly pollsPerImport: number;
  readonly restClosed: boolean;
  readonly rowsOf?: ((insertDirectory: string) => bigint) | undefined;
}

/** Imports, whose states advance with every look. */
export class MemoryImports {
  readonly #catalog: MemoryCatalog;
  readonly #options: ImportOptions;
  /** No import is ever listed. */
  isForgetting = false;
  isHeld = () => false;
  failsFor: () => string | undefined = () => undefined;

  constructor(catalog: MemoryCatalog, options: ImportOptions) {
    this.#catalog = catalog;
    this.#options = options;
  }

  get way(): ImportWay {
    if (features(this.#options.version).importApi === "grpc") return importWays.tasks;
    if (!this.#options.restClosed) return importWays.jobs;
    return { ...importWays.jobsOverGrpc, closed: { base: "http://milvus.test:19530", reason: "connect ECONNREFUSED" } };
  }

  submit(request: ImportRequest): Id {
    const { partitions, imports, loaded } = this.#catalog.get(request.name);
    if (request.kind === "l0" && loaded.size > 0) {
      throw this.#catalog.refused("Import", "for l0 import, collection cannot be loaded, please release it first");
    }
    if (request.kind === "segments" && !partitions.some(({ name }) => name === request.partition)) {
      throw this.#catalog.refused("Import", `partition not found: ${request.partition}`);
    }
    const id = this.#catalog.newId();
    const { partition, files } = request;
    const task: ImportTask = { id, state: "pending", progress: 0, rows: 0n, failedReason: "", partition, files };
    imports.push({ request, polls: 0, task, forgotten: this.isForgetting });
    return id;
  }

  list(name: CollectionName, { own, settled }: Partial<ImportQuery>): ImportTask[] {
    const collection = this.#catalog.get(name);
    const listed = collection.imports.flatMap(({ task, forgotten }) => (forgotten ? [] : [task]));
    for (const memory of collection.imports) this.#advance(collection, memory);
    if (!this.#options.restClosed) return listed.filter(({ id }) => !settled?.has(id));
    const unnamed = listed.map((task) => ({ ...task, partition: "", files: [] }));
    const others = unnamed.filter(({ id, state }) => !own?.has(id) && (state === "pending" || state === "importing"));
    return [
      ...unnamed.filter(({ id }) => own?.has(id)),
      ...others.map((task, index) => ({ ...task, id: `unlisted-${index}` })),
    ];
  }

  fail(name: CollectionName, reason: string, partition?: string): void {
    for (const memory of this.#catalog.get(name).imports) {
      if (partition === undefined || memory.task.partition === partition) {
        memory.task = { ...memory.task, state: "failed", failedReason: reason };
      }
    }
  }

  forget(name: CollectionName): void {
    for (const memory of this.#catalog.get(name).imports) memory.forgotten = true;
  }

  endAndForget(): void {
    for (const collection of this.#catalog.all) {
      for (const memory of collection.imports) {
        while (memory.task.state === "pending" || memory.task.state === "importing") this.#advance(collection, memory);
        memory.forgotten = true;
      }
    }
  }

  #advance(collection: MemoryCollection, memory: MemoryImport): void {
    if (memory.task.state === "completed" || memory.task.state === "failed") return;
    const failedReason = this.failsFor();
    if (failedReason !== undefined) {
      memory.task = { ...memory.task, state: "failed", failedReason };
      return;
    }
    if (this.isHeld()) return;
    memory.polls += 1;
    const { pollsPerImport, rowsOf } = this.#options;
    if (memory.polls < pollsPerImport) {
      const progress = Math.floor((100 * memory.polls) / pollsPerImport);
      memory.task = { ...memory.task, state: "importing", progress };
      return;
    }
    const rows = memory.request.files.reduce((sum, { insert }) => sum + (insert ? (rowsOf?.(insert) ?? 0n) : 0n), 0n);
    memory.task = { ...memory.task, state: "completed", progress: 100, rows };
    const partition = collection.partitions.find(({ name }) => name === memory.request.partition);
    collection.segments.push({
      id: this.#catalog.newId(),
      collectionId: collection.description.id,
      partitionId: partition?.id ?? "-1",
      rows,
      state: "Flushed",
      isL0: memory.request.kind === "l0",
      storageVersion: memory.request.storageVersion,
    });
  }
}
