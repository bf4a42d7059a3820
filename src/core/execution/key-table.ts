import { hash } from "node:crypto";

/** What a slot takes: two words of the key's hash, two of the value's. */
const wordsPerSlot = 4;
/** Each grows for itself: a whole table that is copied into a larger one takes the memory of both. */
const shardCount = 64;
const firstCapacity = 64;
/** Beyond this share of taken slots a shard grows. */
const fullest = 0.75;
const growth = 1.4;

/**
 * A map of strings to strings that remembers hashes only, 64 bits of each: 2 million keys take some 55 MB instead of half a gigabyte.
 * It cannot list what it holds. Of 2 million keys any two are taken for one another once in ten million runs.
 */
export class KeyTable {
  readonly #shards = Array.from({ length: shardCount }, () => new Shard());

  /** How many different keys it has. */
  get size(): number {
    return this.#shards.reduce((sum, { size }) => sum + size, 0);
  }

  /**
   * Sets the value of a key.
   * @param tag a small number (0 to 255) kept beside it
   */
  set(key: string, value: string, tag = 0): void {
    const hashed = hashOf(key);
    this.#shardOf(hashed).set(hashed, value, tag);
  }

  /** undefined where the key was never set. */
  tagOf(key: string): number | undefined {
    const hashed = hashOf(key);
    return this.#shardOf(hashed).tagOf(hashed);
  }

  /** Whether one of the values is that of the key. */
  hasValue(key: string, ...values: readonly string[]): boolean {
    const hashed = hashOf(key);
    return this.#shardOf(hashed).hasValue(hashed, values);
  }

  /** Does nothing where the key was never set. */
  setTag(key: string, tag: number): void {
    const hashed = hashOf(key);
    this.#shardOf(hashed).setTag(hashed, tag);
  }

  #shardOf([high]: Hash): Shard {
    // the list has every number below its length
    return this.#shards[high % shardCount] as Shard;
  }
}

/** 64 bits of a key, never both zero: that stands for a free slot. */
type Hash = readonly [high: number, low: number];

class Shard {
  size = 0;
  #capacity = firstCapacity;
  #words = new Uint32Array(firstCapacity * wordsPerSlot);
  #tags = new Uint8Array(firstCapacity);

  set([high, low]: Hash, value: string, tag: number): void {
    if (this.size >= this.#capacity * fullest) this.#grow();
    const slot = this.#find(high, low);
    if (!this.#isTaken(slot)) this.size += 1;
    this.#fill(slot, high, low, fold(value, 1), fold(value, 2), tag);
  }

  tagOf([high, low]: Hash): number | undefined {
    const slot = this.#find(high, low);
    return this.#isTaken(slot) ? this.#tags[slot] : undefined;
  }

  setTag([high, low]: Hash, tag: number): void {
    const slot = this.#find(high, low);
    if (this.#isTaken(slot)) this.#tags[slot] = tag;
  }

  hasValue([high, low]: Hash, values: readonly string[]): boolean {
    const slot = this.#find(high, low);
    const at = slot * wordsPerSlot;
    return (
      this.#isTaken(slot) &&
      values.some((value) => this.#words[at + 2] === fold(value, 1) && this.#words[at + 3] === fold(value, 2))
    );
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
    this.#capacity = Math.ceil(this.#capacity * growth);
    this.#words = new Uint32Array(this.#capacity * wordsPerSlot);
    this.#tags = new Uint8Array(this.#capacity);
    for (let slot = 0; slot < tags.length; slot += 1) {
      const at = slot * wordsPerSlot;
      const [high = 0, low = 0, one = 0, other = 0] = words.subarray(at, at + wordsPerSlot);
      if (high !== 0 || low !== 0) this.#fill(this.#find(high, low), high, low, one, other, tags[slot] ?? 0);
    }
  }
}

function hashOf(text: string): Hash {
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
