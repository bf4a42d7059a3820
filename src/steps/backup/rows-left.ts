/** The same row in any segment: compaction changes neither. */
export interface RowIdentity {
  readonly rowId: bigint;
  readonly timestamp: bigint;
}

/** Of a slot: the halves of row ID and timestamp, and one more than how often the row is left; 0 where the slot is free. */
const words = 5;
const count = 4;

/**
 * The rows of one segment that were not found elsewhere, each as often as it is there. Hashed in place: 30 bytes a row (objects, or bigints in
 * a Map, take five times that).
 */
export class RowsLeft {
  readonly #rows: number;
  readonly #slots: number;
  readonly #table: Uint32Array;
  readonly #row = new BigUint64Array(2);
  readonly #halves = new Uint32Array(this.#row.buffer);
  #added = 0;
  #left = 0;

  /** @param rows how many the segment has: more are counted, and not kept */
  constructor(rows: number) {
    this.#rows = rows;
    // a third stays free, at least one: each search ends
    this.#slots = Math.ceil(rows * 1.5) + 1;
    this.#table = new Uint32Array(this.#slots * words);
  }

  /** Whether it has had exactly as many rows as the segment has. */
  get isWhole(): boolean {
    return this.#added === this.#rows;
  }

  get left(): number {
    return this.#left;
  }

  add(row: RowIdentity): void {
    this.#added += 1;
    if (this.#added > this.#rows) return;
    const at = this.#find(row);
    if (this.#table[at + count] === 0) {
      this.#table.set(this.#halves, at);
      this.#table[at + count] = 1;
    }
    this.#table[at + count] = (this.#table[at + count] ?? 0) + 1;
    this.#left += 1;
  }

  /** @returns whether it was left */
  strike(row: RowIdentity): boolean {
    const at = this.#find(row);
    const times = this.#table[at + count] ?? 0;
    if (times < 2) return false;
    this.#table[at + count] = times - 1;
    this.#left -= 1;
    return true;
  }

  /** @returns where the row is, or the free slot where it would be */
  #find({ rowId, timestamp }: RowIdentity): number {
    this.#row[0] = rowId;
    this.#row[1] = timestamp;
    const halves = this.#halves;
    const [a, b, c, d] = [halves[0] ?? 0, halves[1] ?? 0, halves[2] ?? 0, halves[3] ?? 0];
    const table = this.#table;
    const hash = mixed(mixed(mixed(mixed(0, a), b), c), d) & 0x7fff_ffff;
    for (let slot = hash % this.#slots; ; slot = (slot + 1) % this.#slots) {
      const at = slot * words;
      if (table[at + count] === 0) return at;
      if (table[at] === a && table[at + 1] === b && table[at + 2] === c && table[at + 3] === d) return at;
    }
  }
}

/** Row IDs and timestamps follow one another: all bits of all of them have to count. */
function mixed(hash: number, half: number): number {
  const first = Math.imul(hash ^ half, 0x9e3779b1);
  const second = Math.imul(first ^ (first >>> 15), 0x85ebca6b);
  return second ^ (second >>> 13);
}
