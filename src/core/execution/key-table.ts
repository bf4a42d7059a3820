import { hash } from "node:crypto";

/** What a slot takes: two words of the key's hash, two of the value's. */
const wordsPerSlot = 4;
const fewestSlots = 64;
/** Beyond this share of taken slots a table grows. */
const fullest = 0.75;

/**
 * A map of strings to strings that remembers hashes only, 64 bits of each: 2 million keys take 50 MB instead of half a gigabyte. It
 * cannot list what it holds. Of 2 million keys any two are taken for one another once in ten million runs.
 */
export class KeyTable {
  #capacity: number;
  #words: Uint32Array;
  #tags: Uint8Array;
  #size = 0;

  /** @param expected how many keys there will be: a table that grows takes the memory of two meanwhile */
  constructor(expected = 0) {
    this.#capacity = Math.max(fewestSlots, Math.ceil(expected / fullest) + 1);
    this.#words = new Uint32Array(this.#capacity * wordsPerSlot);
    this.#tags = new Uint8Array(this.#capacity);
  }

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
    const [high, low] = hashOf(key);
    const slot = this.#find(high, low);
    if (!this.#isTaken(slot)) this.#size += 1;
    this.#fill(slot, high, low, fold(value, 1), fold(value, 2), tag);
  }

  /** Where a key lies, for the calls below; undefined where it was never set. Setting another key may move it. */
  slotOf(key: string): number | undefined {
    const slot = this.#find(...hashOf(key));
    return this.#isTaken(slot) ? slot : undefined;
  }

  hasValue(slot: number, value: string): boolean {
    const at = slot * wordsPerSlot;
    return this.#words[at + 2] === fold(value, 1) && this.#words[at + 3] === fold(value, 2);
  }

  tagOf(slot: number): number {
    return this.#tags[slot] ?? 0;
  }

  setTag(slot: number, tag: number): void {
    this.#tags[slot] = tag;
  }

  /** The slot of a key, or the free one where it would go. */
  #find(high: number, low: number): number {
    for (let slot = low % this.#capacity; ; slot = (slot + 1) % this.#capacity) {
      const at = slot * wordsPerSlot;
      if (!this.#isTaken(slot) || (this.#words[at] === high && this.#words[at + 1] === low)) return slot;
    }
  }

  #isTaken(slot: number): boolean {
    const at = slot * wordsPerSlot;
    return this.#words[at] !== 0 || this.#words[at + 1] !== 0;
  }

  #fill(slot: number, high: number, low: number, one: number, other: number, tag: number): void {
    const at = slot * wordsPerSlot;
    this.#words[at] = high;
    this.#words[at + 1] = low;
    this.#words[at + 2] = one;
    this.#words[at + 3] = other;
    this.#tags[slot] = tag;
  }

  #grow(): void {
    const [words, tags] = [this.#words, this.#tags];
    this.#capacity *= 2;
    this.#words = new Uint32Array(this.#capacity * wordsPerSlot);
    this.#tags = new Uint8Array(this.#capacity);
    for (let slot = 0; slot < tags.length; slot += 1) {
      const at = slot * wordsPerSlot;
      const [high = 0, low = 0, one = 0, other = 0] = words.subarray(at, at + wordsPerSlot);
      if (high !== 0 || low !== 0) this.#fill(this.#find(high, low), high, low, one, other, tags[slot] ?? 0);
    }
  }
}

/** 64 bits of a key, never both zero: that stands for a free slot. */
function hashOf(text: string): [high: number, low: number] {
  // as text: a buffer for each of millions of digests takes longer, and leaves the process's memory in holes
  const digest = hash("md5", text, "binary");
  return [wordAt(digest, 0), wordAt(digest, 4) || 1];
}

function wordAt(bytes: string, at: number): number {
  const low = bytes.charCodeAt(at) | (bytes.charCodeAt(at + 1) << 8);
  const high = bytes.charCodeAt(at + 2) | (bytes.charCodeAt(at + 3) << 8);
  return (low | (high << 16)) >>> 0;
}

/** FNV-1a: two values of one key are told apart, which takes less than what tells millions of keys apart. */
function fold(text: string, seed: number): number {
  let word = 0x811c9dc5 ^ seed;
  for (let at = 0; at < text.length; at += 1) word = Math.imul(word ^ text.charCodeAt(at), 0x01000193);
  return word >>> 0;
}
