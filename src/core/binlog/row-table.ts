/** What a slot takes: the key's hash (4 words), then of each side the row's hash and its timestamp (2 each), then partitions and marks. */
const wordsPerSlot = 13;
const sideWords = 4;
const tailWord = 12;
const fewestSlots = 64;
/** Beyond this share of taken slots a table grows. */
const fullest = 0.75;
const growth = 1.5;

const partitionBits = 15;
const partitionMask = (1 << partitionBits) - 1;
const listedBit = 1 << 30;

export type Side = 0 | 1;

/** What became of a key between two sides. */
export interface KeyFate {
  readonly fate: "added" | "removed" | "changed" | "same";
  /** Number of the partition that it is in, of the one that it was in where it is removed. */
  readonly partition: number;
}

/**
 * The rows of two backups of a collection as hashes: 52 bytes a slot, 70 MB for a million keys, half as much more while it grows. Keys are told
 * apart by 128 bits, rows by 64. Of several rows of a key on one side the latest counts, as in Milvus.
 */
export class RowTable {
  #capacity: number;
  #words: Uint32Array;
  #size = 0;

  /** @param expected how many keys there will be: a table that grows takes the memory of two meanwhile */
  constructor(expected = 0) {
    this.#capacity = Math.max(fewestSlots, Math.ceil(expected / fullest) + 1);
    this.#words = new Uint32Array(this.#capacity * wordsPerSlot);
  }

  /** How many different keys it has. */
  get size(): number {
    return this.#size;
  }

  /**
   * Notes a row.
   * @param key at least 16 bytes of a hash of its key
   * @param row at least 8 bytes of a hash of its values
   * @param partition its number, from 0 to 32,766
   */
  note(side: Side, key: Buffer, row: Buffer, timestamp: bigint, partition: number): void {
    if (partition >= partitionMask) throw new RangeError(`partition ${partition} of at most ${partitionMask}`);
    if (this.#size >= this.#capacity * fullest) this.#grow();
    const slot = this.#find(key.readUInt32LE(0), key.readUInt32LE(4), key.readUInt32LE(8), key.readUInt32LE(12));
    const words = this.#words;
    const at = slot + 4 + side * sideWords;
    const tail = words[slot + tailWord] ?? 0;
    const shift = side * partitionBits;
    if (tail === 0) {
      this.#size += 1;
      for (let word = 0; word < 4; word += 1) words[slot + word] = key.readUInt32LE(word * 4);
    } else if (((tail >>> shift) & partitionMask) !== 0) {
      const known = (BigInt(words[at + 2] ?? 0) << 32n) | BigInt(words[at + 3] ?? 0);
      if (known > timestamp) return;
    }
    words[at] = row.readUInt32LE(0);
    words[at + 1] = row.readUInt32LE(4);
    words[at + 2] = Number(timestamp >> 32n);
    words[at + 3] = Number(timestamp & 0xffffffffn);
    words[slot + tailWord] = (tail & ~(partitionMask << shift)) | ((partition + 1) << shift);
  }

  /** Every key's fate, in no order. */
  *fates(): Generator<KeyFate> {
    for (let slot = 0; slot < this.#words.length; slot += wordsPerSlot) {
      if (this.#words[slot + tailWord] !== 0) yield this.#fateAt(slot);
    }
  }

  /** The fate of a key where this asks for it the first time and it was noted; undefined otherwise. */
  takeFate(key: Buffer): KeyFate | undefined {
    const slot = this.#find(key.readUInt32LE(0), key.readUInt32LE(4), key.readUInt32LE(8), key.readUInt32LE(12));
    const tail = this.#words[slot + tailWord] ?? 0;
    if (tail === 0 || (tail & listedBit) !== 0) return undefined;
    this.#words[slot + tailWord] = tail | listedBit;
    return this.#fateAt(slot);
  }

  #fateAt(slot: number): KeyFate {
    const words = this.#words;
    const tail = words[slot + tailWord] ?? 0;
    const first = (tail & partitionMask) - 1;
    const second = ((tail >>> partitionBits) & partitionMask) - 1;
    if (second < 0) return { fate: "removed", partition: first };
    if (first < 0) return { fate: "added", partition: second };
    const same = words[slot + 4] === words[slot + 8] && words[slot + 5] === words[slot + 9] && first === second;
    return { fate: same ? "same" : "changed", partition: second };
  }

  /** The slot of a key, or the free one that it would take. */
  #find(a: number, b: number, c: number, d: number): number {
    const words = this.#words;
    for (let index = a % this.#capacity; ; index = index + 1 === this.#capacity ? 0 : index + 1) {
      const slot = index * wordsPerSlot;
      if (words[slot + tailWord] === 0) return slot;
      if (words[slot] === a && words[slot + 1] === b && words[slot + 2] === c && words[slot + 3] === d) return slot;
    }
  }

  #grow(): void {
    const old = this.#words;
    this.#capacity = Math.ceil(this.#capacity * growth);
    this.#words = new Uint32Array(this.#capacity * wordsPerSlot);
    for (let slot = 0; slot < old.length; slot += wordsPerSlot) {
      if (old[slot + tailWord] === 0) continue;
      const [a = 0, b = 0, c = 0, d = 0] = old.subarray(slot, slot + 4);
      this.#words.set(old.subarray(slot, slot + wordsPerSlot), this.#find(a, b, c, d));
    }
  }
}
