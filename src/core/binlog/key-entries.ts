import { hash } from "node:crypto";
import type { PrimaryKey } from "./delete-entries.ts";

/** Four words that are the key, or a hash of it, and the number of its segment. */
const wordsPerEntry = 5;
const entryBytes = wordsPerEntry * 4;
/** Entries lie in buckets, by the first byte of their hash: keys that are the same are in the same one, whoever wrote them. */
export const buckets = 256;
const bucketShift = 24;
/** What comes of a run fits into one request. */
const mostEntries = 400_000;

/** Some keys of one collection, as they are written down. */
export interface EncodedEntries {
  readonly bytes: Uint8Array;
  /** Entries of each bucket, which stand one behind the other. */
  readonly counts: readonly number[];
}

/** Gathers the keys of living rows of one collection: 20 bytes each, up to 8 MB. Int64 keys as they are, texts as 128 bits of a hash. */
export class KeyEntries {
  #words = new Uint32Array(mostEntries * wordsPerEntry);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#size === mostEntries;
  }

  /** @param segment its number, 32 bits */
  add(key: PrimaryKey, segment: number): void {
    const at = this.#size * wordsPerEntry;
    writeKey(this.#words, at, key);
    this.#words[at + 4] = segment;
    this.#size += 1;
  }

  /** What was gathered; begins anew. */
  take(): EncodedEntries {
    const words = this.#words;
    const counts = new Array<number>(buckets).fill(0);
    for (let entry = 0; entry < this.#size; entry += 1) {
      const bucket = bucketOf(words[entry * wordsPerEntry] ?? 0);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
    }
    const next = startsOf(counts);
    const sorted = new Uint32Array(this.#size * wordsPerEntry);
    for (let entry = 0; entry < this.#size; entry += 1) {
      const from = entry * wordsPerEntry;
      const bucket = bucketOf(words[from] ?? 0);
      const to = next[bucket] ?? 0;
      sorted.set(words.subarray(from, from + wordsPerEntry), to * wordsPerEntry);
      next[bucket] = to + 1;
    }
    this.#size = 0;
    return { bytes: new Uint8Array(sorted.buffer), counts };
  }
}

/** Where the entries of some buckets stand in a file, in bytes. */
export function rangeOf(counts: readonly number[], from: number, to: number): { offset: number; size: number } {
  const sum = (values: readonly number[]) => values.reduce((total, count) => total + count, 0) * entryBytes;
  return { offset: sum(counts.slice(0, from)), size: sum(counts.slice(from, to)) };
}

/** A key that two living rows have, and the numbers of their segments: the earlier one's first. */
export interface RepeatedKey {
  /** Of an Int64; undefined of a text, of which a hash is known. */
  readonly key: bigint | undefined;
  readonly segments: readonly [number, number];
}

/** Finds the keys that are there several times. In memory are the entries of the buckets that are looked at, and half as much more. */
export class RepeatedKeys {
  readonly #words: Uint32Array;
  /** Numbers of entries, from 1; 0 for a free slot. */
  readonly #slots: Uint32Array;
  #size = 0;

  /** @param expected how many entries there will be, at most */
  constructor(expected: number) {
    this.#words = new Uint32Array(expected * wordsPerEntry);
    this.#slots = new Uint32Array(Math.max(2, Math.ceil(expected * 1.5)));
  }

  /**
   * Adds the entries of one file.
   * @param bytes whole entries of the buckets that are looked at
   */
  *add(bytes: Uint8Array): Generator<RepeatedKey> {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const words = this.#words;
    for (let offset = 0; offset + entryBytes <= bytes.length; offset += entryBytes) {
      const at = this.#size * wordsPerEntry;
      for (let word = 0; word < wordsPerEntry; word += 1) words[at + word] = view.getUint32(offset + word * 4, true);
      const slot = this.#find(at);
      const known = this.#slots[slot] ?? 0;
      if (known === 0) {
        this.#size += 1;
        this.#slots[slot] = this.#size;
        continue;
      }
      const first = (known - 1) * wordsPerEntry;
      yield { key: numberAt(words, at), segments: [words[first + 4] ?? 0, words[at + 4] ?? 0] };
    }
  }

  /** The slot of the entry at a position, or the free one that it would take. */
  #find(at: number): number {
    const words = this.#words;
    const slots = this.#slots;
    // not by the first word, whose upper byte is the same in a bucket
    for (let slot = ((words[at] ?? 0) ^ Math.imul(words[at + 1] ?? 0, 0x9e3779b1)) >>> 0; ; slot += 1) {
      const index = slot % slots.length;
      const known = slots[index] ?? 0;
      if (known === 0 || isSame(words, (known - 1) * wordsPerEntry, at)) return index;
    }
  }
}

function isSame(words: Uint32Array, one: number, other: number): boolean {
  for (let word = 0; word < 4; word += 1) if (words[one + word] !== words[other + word]) return false;
  return true;
}

function writeKey(words: Uint32Array, at: number, key: PrimaryKey): void {
  if (typeof key === "string") {
    const digest = hash("sha256", key, "buffer");
    for (let word = 0; word < 4; word += 1) words[at + word] = digest.readUInt32LE(word * 4);
    // 0 stands behind numbers
    words[at + 3] = (words[at + 3] ?? 0) || 1;
    return;
  }
  const low = Number(key & 0xffffffffn);
  const high = Number((key >> 32n) & 0xffffffffn);
  words[at] = mixed(low, high);
  words[at + 1] = low;
  words[at + 2] = high;
  words[at + 3] = 0;
}

/** undefined of a text: its entry says so in its last word. */
function numberAt(words: Uint32Array, at: number): bigint | undefined {
  if (words[at + 3] !== 0) return undefined;
  return BigInt.asIntN(64, (BigInt(words[at + 2] ?? 0) << 32n) | BigInt(words[at + 1] ?? 0));
}

/** Spreads keys that follow each other over the buckets (the finalizer of MurmurHash3). */
function mixed(low: number, high: number): number {
  let word = low ^ Math.imul(high, 0x9e3779b1);
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return (word ^ (word >>> 16)) >>> 0;
}

function bucketOf(word: number): number {
  return word >>> bucketShift;
}

function startsOf(counts: readonly number[]): number[] {
  let start = 0;
  return counts.map((count) => {
    start += count;
    return start - count;
  });
}
