import { createRequire } from "node:module";

// a CommonJS module whose class is its `default`: Node and Vitest import it in different ways
const { default: BTree } = createRequire(import.meta.url)("sorted-btree") as typeof import("sorted-btree");

/**
 * A map whose keys are listed in order and by prefix without looking at all of them: a store with half a million objects is listed thousands
 * of times.
 */
export class SortedMap<V extends { readonly length: number }> extends Map<string, V> {
  /** Of all values. */
  bytes = 0;
  readonly #keys = new BTree<string, undefined>(undefined, (a, b) => (a < b ? -1 : a > b ? 1 : 0));

  override set(key: string, value: V): this {
    this.bytes += value.length - (this.get(key)?.length ?? 0);
    this.#keys?.set(key, undefined);
    return super.set(key, value);
  }

  override delete(key: string): boolean {
    this.bytes -= this.get(key)?.length ?? 0;
    this.#keys.delete(key);
    return super.delete(key);
  }

  /** As they are at the beginning; what is deleted meanwhile is passed over. */
  *keysBelow(prefix: string, startAfter = ""): Generator<string> {
    // copies nothing before something is written
    const keys = this.#keys.clone();
    for (const key of keys.keys(startAfter > prefix ? startAfter : prefix)) {
      if (!key.startsWith(prefix)) return;
      if (key !== startAfter && this.has(key)) yield key;
    }
  }
}
