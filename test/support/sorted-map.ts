/**
 * A map whose keys are listed in order and by prefix without looking at all of them: a store with half a million objects is listed thousands
 * of times.
 */
export class SortedMap<V extends { readonly length: number }> extends Map<string, V> {
  /** Of all values. */
  bytes = 0;
  /** Also keys that were deleted since: what is not in the map any more is passed over. */
  #sorted: string[] = [];
  #added: string[] = [];

  override set(key: string, value: V): this {
    const before = this.get(key);
    if (before === undefined) this.#added.push(key);
    this.bytes += value.length - (before?.length ?? 0);
    return super.set(key, value);
  }

  override delete(key: string): boolean {
    this.bytes -= this.get(key)?.length ?? 0;
    return super.delete(key);
  }

  /** As they are at the beginning; what is deleted meanwhile is passed over. */
  *keysBelow(prefix: string, startAfter = ""): Generator<string> {
    this.#merge();
    const sorted = this.#sorted;
    for (let at = this.#placeOf(startAfter > prefix ? startAfter : prefix); at < sorted.length; at += 1) {
      const key = sorted[at] ?? "";
      if (!key.startsWith(prefix)) return;
      if (key !== startAfter && this.has(key)) yield key;
    }
  }

  #merge(): void {
    if (this.#added.length === 0) return;
    const pieces: string[][] = [];
    let from = 0;
    for (const key of this.#added.sort()) {
      const at = this.#placeOf(key);
      if (this.#sorted[at] === key || pieces.at(-1)?.at(-1) === key) continue; // it was deleted, and is there again
      pieces.push([...this.#sorted.slice(from, at), key]);
      from = at;
    }
    this.#sorted = [...pieces.flat(), ...this.#sorted.slice(from)];
    this.#added = [];
  }

  /** Where a key stands, or would. */
  #placeOf(key: string): number {
    let [low, high] = [0, this.#sorted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle] ?? "") < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
