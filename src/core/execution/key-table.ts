import { hash } from "node:crypto";

/** What a slot takes: two words of the key's hash, two of the value's. */
const wordsPerSlot = 4;
const firstCapacity = 1 << 12;
/** Beyond this share of taken slots a table grows. */
const fullest = 0.7;

/**
 * A map of strings to strings that remembers hashes only (64 bits of each): 2 million keys take 70 MB instead of half a gigabyte. It
 * cannot list what it holds, and it tells two strings apart with a certainty of 1 in 10^19.
 */
export class KeyTable {
  #capacity = firstCapacity;
  #words = new Uint32Array(firstCapacity * wordsPerSlot);
  #tags = new Uint8Array(firstCapacity);
  #size = 0;

  /** How many different keys it has. */
  get size(): number {
    return this.#size;
  }

  /**
   * Sets the value of a key.
   * @param tag a small number (0 to 255) kept beside it
   */
  set(key: string, value: string, tag = 0): void {
    if (this.#size >= this.#capacity * fullest) this.#grow();
    const [a, b] = hashOf(key);
    const slot = this.#find(a, b);
    if (!this.#isTaken(slot)) this.#size += 1;
    const [c, d] = hashOf(value);
    this.#words.set([a, b, c, d], slot * wordsPerSlot);
    this.#tags[slot] = tag;
  }

  /** Where a key lies, for the calls below; undefined where it was never set. Setting another key moves it. */
  slotOf(key: string): number | undefined {
    const slot = this.#find(...hashOf(key));
    return this.#isTaken(slot) ? slot : undefined;
  }

  hasValue(slot: number, value: string): boolean {
    const [c, d] = hashOf(value);
    const at = slot * wordsPerSlot;
    return this.#words[at + 2] === c && this.#words[at + 3] === d;
  }

  tagOf(slot: number): number {
    return this.#tags[slot] ?? 0;
  }

  setTag(slot: number, tag: number): void {
    this.#tags[slot] = tag;
  }

  /** The slot of a key, or the free one where it would go. */
  #find(a: number, b: number): number {
    const mask = this.#capacity - 1;
    for (let slot = a & mask; ; slot = (slot + 1) & mask) {
      const at = slot * wordsPerSlot;
      if (!this.#isTaken(slot) || (this.#words[at] === a && this.#words[at + 1] === b)) return slot;
    }
  }

  #isTaken(slot: number): boolean {
    const at = slot * wordsPerSlot;
    return this.#words[at] !== 0 || this.#words[at + 1] !== 0;
  }

  #grow(): void {
    const [words, tags] = [this.#words, this.#tags];
    this.#capacity *= 2;
    this.#words = new Uint32Array(this.#capacity * wordsPerSlot);
    this.#tags = new Uint8Array(this.#capacity);
    for (let old = 0; old < tags.length; old += 1) {
      const at = old * wordsPerSlot;
      const [a = 0, b = 0] = [words[at], words[at + 1]];
      if (a === 0 && b === 0) continue;
      const slot = this.#find(a, b);
      this.#words.set(words.subarray(at, at + wordsPerSlot), slot * wordsPerSlot);
      this.#tags[slot] = tags[old] ?? 0;
    }
  }
}

/** Never two zeros, which stand for a free slot. */
function hashOf(text: string): [number, number] {
  const digest = hash("md5", text, "buffer");
  return [digest.readUInt32LE(0), digest.readUInt32LE(4) || 1];
}
