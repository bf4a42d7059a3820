import { createHash, hash } from "node:crypto";
import type { PrimaryKey } from "../../core/binlog/delete-entries.ts";
import type { RowField } from "../../core/binlog/row-fields.ts";
import { RowTable, type Side } from "../../core/binlog/row-table.ts";
import type { StoredValue } from "../../core/binlog/stored-column.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { CollectionRows } from "./collection-rows.ts";
import type { StoredRow } from "./segment-rows.ts";

/** Memory for so many keys is taken at once because a meta says so; beyond that it is taken as they come. */
const mostExpected = 10_000_000;

/** How many rows came, went, differ or stayed. */
export interface FateCounts {
  added: number;
  changed: number;
  removed: number;
  same: number;
}

/** Keys of rows, up to a limit of each kind. */
export interface FateKeys {
  readonly added: PrimaryKey[];
  readonly changed: PrimaryKey[];
  readonly removed: PrimaryKey[];
}

/** What happened to a collection between two backups. */
export interface RowsDiff {
  readonly total: FateCounts;
  readonly partitions: ReadonlyMap<string, FateCounts>;
  /** Fields that only one of the two has, or that have another type: their values are not compared. */
  readonly notCompared: readonly string[];
}

/** Two backups of a collection, the earlier one first. */
export type Pair = readonly [CollectionRows, CollectionRows];

/**
 * Compares two backups of a collection row by row, by primary key. Values are compared as they are stored: JSON by its text. A row in another
 * partition has changed. Both are read once, and remembered as hashes (`RowTable`).
 */
export class RowsDiffer {
  readonly #pair: Pair;
  readonly #only: readonly string[] | undefined;
  readonly #table: RowTable;
  readonly #partitions: readonly string[];
  readonly #fields: ReturnType<typeof comparedFields>;

  /**
   * @param options `partitions`: only rows of these. A partition that only one of the two has is none of the other's
   * @throws InvalidInput where neither has such a partition, or the primary keys are of different types
   */
  constructor(pair: Pair, options: { partitions?: readonly string[] | undefined } = {}) {
    const [first, second] = pair;
    this.#pair = pair;
    this.#only = options.partitions;
    this.#partitions = [...new Set([...first.partitions, ...second.partitions])];
    const missing = (options.partitions ?? []).filter((name) => !this.#partitions.includes(name));
    if (missing.length > 0) {
      throw invalid(`neither backup of ${first.name} has a partition ${missing.join(", ")}`);
    }
    if (first.primaryKey.type !== second.primaryKey.type || first.primaryKey.name !== second.primaryKey.name) {
      const [one, other] = pair.map(({ primaryKey }) => `${primaryKey.name} (${primaryKey.type})`);
      throw invalid(`rows are compared by their primary key, which is ${one} in one backup and ${other} in the other`);
    }
    this.#table = new RowTable(Math.min(mostExpected, Math.max(...pair.map(({ storedRows }) => storedRows))));
    this.#fields = comparedFields(pair);
  }

  /** Reads both; throws as `CollectionRows.rows` does. */
  async compare(): Promise<RowsDiff> {
    await this.#note(0, this.#fields.first);
    await this.#note(1, this.#fields.second);
    const total = noRows();
    const partitions = new Map<string, FateCounts>();
    for (const { fate, partition } of this.#table.fates()) {
      const name = this.#partitions[partition] ?? "";
      const counts = partitions.get(name) ?? noRows();
      partitions.set(name, counts);
      counts[fate] += 1;
      total[fate] += 1;
    }
    return { total, partitions, notCompared: this.#fields.notCompared };
  }

  /**
   * The keys, once both were compared: reads the keys of both again.
   * @param limit of each kind
   */
  async keys(limit: number): Promise<FateKeys> {
    const keys: FateKeys = { added: [], changed: [], removed: [] };
    for (const [side, fates] of [[1, ["added", "changed"]] as const, [0, ["removed"]] as const]) {
      const { primaryKey } = this.#pair[side];
      for await (const row of this.#rows(side, [primaryKey])) {
        const key = row.stored(primaryKey) as PrimaryKey;
        const found = this.#table.takeFate(keyHash(key));
        const fate = fates.find((one) => one === found?.fate);
        if (fate !== undefined && keys[fate].length < limit) keys[fate].push(key);
      }
    }
    return keys;
  }

  async #note(side: Side, fields: readonly RowField[]): Promise<void> {
    const numbers = new Map(this.#partitions.map((name, number) => [name, number]));
    const { primaryKey } = this.#pair[side];
    for await (const row of this.#rows(side, [primaryKey, ...fields])) {
      const key = keyHash(row.stored(primaryKey) as PrimaryKey);
      this.#table.note(side, key, rowHash(row, fields), row.timestamp ?? 0n, numbers.get(row.partition) ?? 0);
    }
  }

  #rows(side: Side, fields: readonly RowField[]) {
    const rows = this.#pair[side];
    const partitions = this.#only?.filter((name) => rows.partitions.includes(name));
    return rows.rows({ fields: [...new Set(fields)], partitions, timestamps: true });
  }
}

/** The fields that both have with one type, in one order; and the names of the others. */
function comparedFields([first, second]: Pair) {
  const typeOf = ({ type, elementType, dim }: RowField) => `${type} ${elementType} ${dim}`;
  const names = [...new Set([...first.fields, ...second.fields].map(({ name }) => name))].sort();
  const pairs = names.map((name) => [first, second].map(({ fields }) => fields.find((field) => field.name === name)));
  const compared = pairs.flatMap(([one, other]) =>
    one && other && typeOf(one) === typeOf(other) ? [[one, other]] : [],
  );
  return {
    first: compared.flatMap(([one]) => (one ? [one] : [])),
    second: compared.flatMap(([, other]) => (other ? [other] : [])),
    notCompared: names.filter((name) => !compared.some(([one]) => one?.name === name)),
  };
}

function keyHash(key: PrimaryKey): Buffer {
  return hash("sha256", typeof key === "string" ? `s${key}` : `i${key}`, "buffer");
}

function rowHash(row: StoredRow, fields: readonly RowField[]): Buffer {
  const digest = createHash("sha256");
  for (const field of fields) {
    const value = row.stored(field);
    // The length goes first: no value can run into the next one.
    if (value instanceof Uint8Array) digest.update(`b${value.length} `).update(value);
    else digest.update(textOf(value));
  }
  return digest.digest();
}

function textOf(value: Exclude<StoredValue, Uint8Array> | null): string {
  if (value === null) return "n ";
  // -0 and 0 are two values, bit for bit.
  const text = Object.is(value, -0) ? "-0" : String(value);
  return `${(typeof value)[0]}${text.length} ${text}`;
}

function noRows(): FateCounts {
  return { added: 0, changed: 0, removed: 0, same: 0 };
}

function invalid(reason: string): PipelineError {
  return new PipelineError("InvalidInput", reason, { details: { key: "partitions" } });
}
