import { keyPartitionName, partitionOfKey } from "../../../src/core/milvus/partition-key.ts";
import type { CollectionName, InsertedRows, QueriedRow, SearchHit, VectorSearch } from "../../../src/ports/milvus.ts";
import type { MemoryCatalog } from "./catalog.ts";
import type { MemoryRow } from "./collection.ts";

/** Rows that are inserted, kept as they came, and those that queries and searches find, which a test says. */
export class MemoryRows {
  readonly #catalog: MemoryCatalog;
  #call = 0;
  /** What a loaded collection holds; its primary key is the field `id`. */
  content: (name: CollectionName) => readonly QueriedRow[] = () => [];

  constructor(catalog: MemoryCatalog) {
    this.#catalog = catalog;
  }

  insert(name: CollectionName, { partition, rows, columns }: InsertedRows): void {
    this.#call += 1;
    const { description, partitions, inserted } = this.#catalog.get(name);
    const key = description.schema.fields.find(({ isPartitionKey }) => isPartitionKey);
    if (key && partition !== undefined) {
      throw this.#catalog.refused(
        "Insert",
        "not support manually specifying the partition names if partition key mode is used",
      );
    }
    const added = Array.from({ length: rows }, (_, row): MemoryRow => {
      const values = new Map(columns.map(({ field, values: column }) => [field.name, column[row] ?? ""]));
      const chosen = key && partitionOfKey(values.get(key.name) as bigint | string, partitions.length);
      return {
        partition: chosen === undefined ? (partition ?? "_default") : keyPartitionName(chosen),
        call: this.#call,
        values,
      };
    });
    for (const [to, members] of Map.groupBy(added, (row) => row.partition)) {
      if (!partitions.some((known) => known.name === to)) {
        throw this.#catalog.refused("Insert", `partition not found: ${to}`);
      }
      this.grow(name, members.length, to);
    }
    inserted.push(...added);
  }

  /** Adds a growing segment of so many rows. */
  grow(name: CollectionName, rows: number, partition: string): void {
    const { growing, partitions, description } = this.#catalog.get(name);
    growing.push({
      id: this.#catalog.newId(),
      collectionId: description.id,
      partitionId: partitions.find((other) => other.name === partition)?.id ?? "0",
      rows: BigInt(rows),
      state: "Growing",
      isL0: false,
      storageVersion: "0",
    });
  }

  /** As segments tell it. */
  stored(name: CollectionName): bigint {
    const { segments } = this.#catalog.get(name);
    return segments.reduce((sum, segment) => (segment.state === "Dropped" ? sum : sum + segment.rows), 0n);
  }

  count(name: CollectionName): bigint {
    return BigInt(this.#loaded(name).length);
  }

  query(name: CollectionName, filter: string, fields: readonly string[]): QueriedRow[] {
    const rows = this.#loaded(name).filter((row) => isAmong(filter, row));
    return rows.map((row) => new Map([...row].filter(([field]) => fields.includes(field))));
  }

  search(name: CollectionName, { field, vectors, limit, filter = "" }: VectorSearch): (readonly SearchHit[])[] {
    const rows = this.#loaded(name).filter((row) => filter === "" || isAmong(filter, row));
    return vectors.map((vector) =>
      rows
        .map((row) => ({ key: row.get("id") as bigint, score: squared(vector, row.get(field) as Uint8Array) }))
        .sort((a, b) => a.score - b.score)
        .slice(0, limit),
    );
  }

  #loaded(name: CollectionName): readonly QueriedRow[] {
    const { loaded, description } = this.#catalog.get(name);
    if (loaded.size === 0) throw this.#catalog.refused("Query", "collection not loaded");
    return this.content(description.name);
  }
}

/** Whether a filter `id in [1,2]` is true of a row. */
function isAmong(filter: string, row: QueriedRow): boolean {
  const keys = /^id in \[(.*)\]$/.exec(filter)?.[1]?.split(",") ?? [];
  return keys.includes(String(row.get("id")));
}

function squared(a: Uint8Array, b: Uint8Array): number {
  const floats = (bytes: Uint8Array) => [...new Float32Array(Uint8Array.from(bytes).buffer)];
  const other = floats(b);
  return floats(a).reduce((sum, value, at) => sum + (value - (other[at] ?? 0)) ** 2, 0);
}
