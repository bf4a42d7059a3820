import type { CollectionName } from "../../../src/ports/milvus.ts";
import type { MemoryCatalog } from "./catalog.ts";

/** What of collections is loaded; a load advances with every look. */
export class MemoryLoads {
  readonly #catalog: MemoryCatalog;
  readonly #pollsPerLoad: number;
  isHeld = () => false;
  /** Why a load is given up at once; undefined where it is not. */
  refusal: () => string | undefined = () => undefined;

  constructor(catalog: MemoryCatalog, pollsPerLoad: number) {
    this.#catalog = catalog;
    this.#pollsPerLoad = pollsPerLoad;
  }

  load(name: CollectionName, partitions: readonly string[] = ["*"]): void {
    const { loaded, indexes } = this.#catalog.get(name);
    if (indexes.length === 0) {
      throw this.#catalog.refused("LoadCollection", "there is no vector index on the collection");
    }
    if (this.refusal() !== undefined) return;
    for (const key of partitions) if (!loaded.has(key)) loaded.set(key, 0);
  }

  progress(name: CollectionName, partition?: string): number {
    const { loaded } = this.#catalog.get(name);
    const keys = partition === undefined ? [...loaded.keys()] : [partition, "*"].filter((key) => loaded.has(key));
    if (keys.length === 0) return 0;
    const progress = Math.min(...keys.map((key) => loaded.get(key) ?? 0));
    for (const key of this.isHeld() ? [] : keys) {
      loaded.set(key, Math.min(100, (loaded.get(key) ?? 0) + Math.ceil(100 / this.#pollsPerLoad)));
    }
    return progress;
  }

  isLoaded(name: CollectionName): boolean {
    return this.#catalog.get(name).loaded.size > 0;
  }
}
